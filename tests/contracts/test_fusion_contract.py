"""Every registered fusion keeps the contract, in training and in evaluation, for one to four modalities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from mmvideo.components import FUSIONS, FusionChoice
from mmvideo.contract.fusions import CONTRACT, WIDTH, Make, draw, prepare
from mmvideo.types import Features
from mmvideo.vocabulary import MODALITIES

SUBSETS = [("visual",), ("audio", "text"), MODALITIES, (*MODALITIES, "depth")]
CASES = [
    (name, modalities)
    for name in FUSIONS
    for modalities in SUBSETS
    if len(modalities) == 1 or name != "single"  # which takes one modality
]


def maker(name: str, modalities: tuple[str, ...]) -> Make:
    return lambda: FusionChoice.of(name).build(modalities, WIDTH)


def test_the_whole_registry_is_seen() -> None:
    assert {name for name, _ in CASES} == set(FUSIONS)
    assert len(CASES) == len(SUBSETS) * len(FUSIONS) - 3


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("name", "modalities"), CASES, ids=lambda v: v if isinstance(v, str) else "+".join(v)
)
def test_contract(
    name: str, modalities: tuple[str, ...], check: Callable[[Make, bool], None], training: bool
) -> None:
    check(maker(name, modalities), training)


def test_cross_attention_hears_other_modalities_through_its_own_tokens() -> None:
    """Tokens of one modality, after the crossing, carry what another modality's tokens say."""
    fusion = prepare(maker("hierarchical", MODALITIES), training=False)
    everything = torch.ones(2, 3, dtype=torch.bool)
    features, other = draw(MODALITIES, everything), draw(MODALITIES, everything, seed=1)
    stage: Any = fusion.stages["trunk"]

    def visual_after(levels: Mapping[str, Features]) -> torch.Tensor:
        parts = [levels[m].trunk for m in MODALITIES]
        tokens, counts = fusion._join(parts), [part.mask.shape[1] for part in parts]
        after = stage.cross(tokens.values, tokens.mask, counts, fusion.others, stage.bias, tokens.time)
        return after[:, : counts[0]]

    moved = visual_after(features | {"audio": other["audio"]}) - visual_after(features)
    assert (moved.abs().amax(dim=(1, 2)) > 1e-5).all()


def test_query_projections_get_gradient() -> None:
    fusion = prepare(maker("hierarchical", MODALITIES), training=True)
    fusion(draw(MODALITIES, torch.ones(4, 3, dtype=torch.bool))).pooled.square().sum().backward()
    queries = {
        name: p.grad for name, p in fusion.named_parameters() if name.endswith("attention.query.weight")
    }
    assert len(queries) == 5
    assert all(grad.abs().max() > 0 for grad in queries.values())


def test_late_sum_and_linear_are_additive_and_late_is_not() -> None:
    """Another picture moves the logits of `late_sum` by the same amount whatever the text says."""
    everything = torch.ones(6, 3, dtype=torch.bool)
    a, b, rest = (draw(MODALITIES, everything, seed) for seed in (0, 1, 2))

    def interaction(name: str) -> float:
        fusion = prepare(maker(name, MODALITIES), training=False)
        head = nn.Linear(WIDTH, 3)
        out = {
            (v, t): head(fusion({"visual": v_features, "audio": a["audio"], "text": t_features}).pooled)
            for v, v_features in (("a", a["visual"]), ("b", b["visual"]))
            for t, t_features in (("a", a["text"]), ("rest", rest["text"]))
        }
        both = out["a", "a"] - out["b", "a"] - out["a", "rest"] + out["b", "rest"]
        return float(both.detach().abs().max())

    assert interaction("late_sum") < 1e-5
    assert interaction("linear") < 1e-5
    assert interaction("late") > 1e-3
