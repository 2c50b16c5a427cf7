"""The whole model: parts that are swapped one at a time, logits for every clip."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmvideo.components import FUSIONS, EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.errors import InputError
from mmvideo.model import FusionModel, build_model
from mmvideo.types import Batch, FeatureInput, Tokens

SMALL: dict[str, Any] = {
    "width": 16,
    "inputs": {
        "visual": Input.of("visual", EncoderChoice.of("cnn_lstm", channels=(4, 8), picture_size=16)),
        "audio": Input.of(
            "audio", EncoderChoice.of("spectrogram_cnn", mel_bins=16, channels=(4, 8), trunk_layers=1)
        ),
        "text": Input.of("text", EncoderChoice.of("transformer", layers=1, heads=2, hidden=16)),
    },
}
VOCABULARY = 20
TOLD = {"text": VOCABULARY, "flow": FeatureInput(5, 4, (0.0,) * 5, (1.0,) * 5)}


def model(fusion: str = "late", **changes: Any) -> FusionModel:
    torch.manual_seed(0)
    return build_model(RunConfig(**SMALL | {"fusion": FusionChoice.of(fusion)} | changes), 5, TOLD)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Three clips: one complete, one without sound, one without words."""
    generator = torch.Generator().manual_seed(0)

    def tokens(values: torch.Tensor, lengths: list[int], seconds: float) -> Tokens:
        steps = torch.arange(values.shape[1])
        return Tokens(values, steps < torch.tensor(lengths)[:, None], ((steps + 0.5) * seconds).expand(3, -1))

    inputs = {
        "visual": tokens(
            torch.randint(0, 256, (3, 4, 3, 16, 16), generator=generator).byte(), [4, 2, 4], 0.125
        ),
        "audio": tokens(torch.randn(3, 40, 160, generator=generator), [40, 0, 20], 0.01),
        "text": tokens(torch.randint(2, VOCABULARY, (3, 6), generator=generator), [6, 3, 0], 0.2),
    }
    return Batch(("a", "b", "c"), inputs, torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("fusion", ["early", "late", "late_sum", "hierarchical"])
def test_logits_for_every_clip(fusion: str, batch: Batch) -> None:
    logits, diagnostics, *_ = model(fusion)(batch)
    assert logits.shape == (3, 5)
    assert torch.isfinite(logits).all()
    assert all(not value.requires_grad for value in diagnostics.values())


def test_the_head_is_linear_in_what_the_fusion_gives(batch: Batch) -> None:
    whole = model().eval()
    features = {name: encoder(batch.inputs[name]) for name, encoder in whole.encoders.items()}
    pooled = whole.fusion(features).pooled
    torch.testing.assert_close(whole(batch).logits, pooled @ whole.head.weight.T + whole.head.bias)


def test_adding_votes_is_additive_in_the_logits(batch: Batch) -> None:
    """With late_sum, what one modality changes in the logits does not depend on another modality."""
    whole = model("late_sum").eval()

    def logits(visual: int, text: int) -> torch.Tensor:
        """Clips' pictures from one clip and words from another."""
        inputs = {
            name: Tokens(*(part[index : index + 1] for part in (tokens.values, tokens.mask, tokens.time)))
            for name, tokens, index in (
                ("visual", batch.inputs["visual"], visual),
                ("audio", batch.inputs["audio"], 0),
                ("text", batch.inputs["text"], text),
            )
        }
        return whole(Batch(("x",), inputs, torch.tensor([0]))).logits

    torch.testing.assert_close(logits(0, 0) - logits(1, 0), logits(0, 1) - logits(1, 1), rtol=0, atol=1e-5)


def test_swapping_the_fusion_swaps_nothing_else() -> None:
    late, late_sum = model("late").encoders.state_dict(), model("late_sum").encoders.state_dict()
    assert late.keys() == late_sum.keys()
    assert all(torch.equal(late[name], late_sum[name]) for name in late)


def test_what_no_fusion_reads_is_not_built() -> None:
    early = {name for name, _ in model("early").encoders.named_parameters()}
    assert not {name for name in early if "lstm" in name or "pool" in name or "transformer" in name}
    assert set(model("single", modalities=("audio",)).encoders) == {"audio"}


@pytest.mark.parametrize("fusion", [name for name in FUSIONS if name != "single"])
def test_four_modalities_of_which_one_is_ones_own(fusion: str, batch: Batch) -> None:
    """With every strategy: an output for every clip, the one that has only features of one's own included."""
    whole = model(fusion, inputs={**SMALL["inputs"], "flow": Input.of("features")}).eval()
    assert tuple(whole.encoders) == ("visual", "audio", "text", "flow")
    flow = Tokens(
        torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)),
        torch.tensor([[True] * 4, [False] * 4, [True, True, False, False]]),
        ((torch.arange(4) + 0.5) * 0.25).expand(3, -1),
    )
    given = Batch(batch.ids, {**batch.inputs, "flow": flow}, batch.labels)
    assert given.present.tolist() == [[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1]]
    logits = whole(given).logits
    changed = whole(
        Batch(batch.ids, {**given.inputs, "flow": flow.replace_values(flow.values + 1)}, batch.labels)
    )
    assert torch.isfinite(logits).all()
    touched = (logits != changed.logits).any(dim=1).tolist()
    assert touched == [True, False, True]
    alone = whole(given.only(("flow",))).logits
    torch.testing.assert_close(alone[1], whole.prior)
    assert torch.isfinite(alone).all()
    assert (alone[0] != alone[2]).any()


def test_a_model_of_ones_own_modalities_alone() -> None:
    names = ("mrna", "flow", "depth")
    config = RunConfig(
        width=8, inputs={m: Input.of("features") for m in names}, fusion=FusionChoice.of("hierarchical")
    )
    whole = build_model(config, 3, {m: FeatureInput(2, 1, (0.0,) * 2, (1.0,) * 2) for m in names})
    assert tuple(whole.encoders) == names
    ones = torch.ones(2, 1)
    vectors = {m: Tokens(torch.randn(2, 1, 2), ones.bool(), ones) for m in names}
    prediction = whole(Batch(("a", "b"), vectors, torch.tensor([0, 1])), [("flow",), ("mrna", "depth")])
    assert prediction.logits.shape == (2, 3)
    assert [part.shape for part in prediction.subsets] == [(2, 3)] * 2


def test_names_of_modalities_are_names_of_the_weights() -> None:
    whole = model("late", modalities=("audio",))
    encoders = {name.split(".")[1] for name in whole.state_dict() if name.startswith("encoders.")}
    assert encoders == {"audio"}


def test_the_fusion_may_work_in_another_width(batch: Batch) -> None:
    whole = model("late", fusion_width=6)
    assert whole.head.in_features == 6
    assert whole(batch).logits.shape == (3, 5)


def test_what_an_objective_alone_reads_is_left_out_afterwards(batch: Batch) -> None:
    torch.manual_seed(0)
    config = RunConfig(**SMALL | {"fusion": FusionChoice.of("early")})
    whole = build_model(config, 5, TOLD, frozenset({"clip"})).eval()
    before = whole(batch)
    assert set(before.clips) == {"visual", "audio", "text"}
    whole.deploy()
    after = whole(batch)
    assert after.clips == {}
    torch.testing.assert_close(after.logits, before.logits)


def cnn(**options: Any) -> dict[str, Any]:
    return {"visual": Input.of("visual", EncoderChoice.of("cnn_lstm", **options))}


@pytest.mark.parametrize(("inputs", "message"), [
    (cnn(backbone="resnet19"), "visual backbone 'resnet19'. Did you mean 'resnet1"),
    (cnn(backbone="resnet18", frozen=True), "frozen needs weights: a frozen random 'resnet18'"),
    (cnn(frozen=True), "frozen, tune and weights are for torchvision's backbones"),
    (cnn(weights="DEFAULT"), "frozen, tune and weights are for torchvision's backbones"),
    ({"text": Input.of("text", EncoderChoice.of("transformer", heads=3))}, "64 cannot be split over 3"),
])  # fmt: skip
def test_what_cannot_be_built(inputs: dict[str, Input], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_model(RunConfig(inputs=inputs), 5, TOLD)
