"""The hierarchy's options: what is not read is not built, who may read whom, and shared weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from numpy_layers import made

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.contract.fusions import CONTRACT, WIDTH, Make, draw
from mmvideo.errors import InputError
from mmvideo.fusion.hierarchical import HierarchicalFusion
from mmvideo.model import build_model
from mmvideo.types import Features
from mmvideo.vocabulary import LEVELS, MODALITIES

SUBSETS = ("stem", "trunk", "clip", "stem+trunk", "stem+clip", "trunk+clip", "stem+trunk+clip")


def maker(modalities: tuple[str, ...], **options: object) -> Make:
    return lambda: HierarchicalFusion(HierarchicalFusion.Config(**options), modalities, WIDTH)


def names(**options: object) -> set[str]:
    """The parts of a fusion that have weights, two names deep: `across`, `stages.stem`."""
    fusion = maker(MODALITIES, **options)()
    parts = {tuple(name.split(".")[: 2 if name.startswith("stages") else 1]) for name in fusion.state_dict()}
    return {".".join(part) for part in parts}


VARIANTS: tuple[dict, ...] = (
    *({"levels": levels} for levels in SUBSETS[:-1]),
    {"shared": True},
    {"shared": True, "aligned": False},
    {"shared": True, "levels": "clip"},
    {"direction": "to_text"},
    {"direction": "to_text", "levels": "stem"},
)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_every_variant_keeps_the_contract(
    options: dict, check: Callable[[Make, bool], None], training: bool
) -> None:
    for modalities in (("text",), MODALITIES):
        check(maker(modalities, **options), training)


def test_what_is_not_read_is_not_built() -> None:
    always = {"absent", "modality", "mix"}
    assert names() == always | {"time", "across", "stages.trunk", "stages.stem"}
    assert names(levels="clip") == always | {"across"}
    assert names(levels="stem") == always | {"time", "stages.stem"}
    assert names(levels="clip+trunk", aligned=False) == always | {"across", "stages.trunk"}
    assert names(shared=True) == always | {"time", "stages.all"}
    assert names(levels="clip", shared=True) == always | {"across"}


@pytest.mark.parametrize("levels", SUBSETS)
def test_encoders_are_built_for_the_levels_read(levels: str) -> None:
    wanted = set(levels.split("+"))
    assert HierarchicalFusion.levels_read(HierarchicalFusion.Config(levels=levels)) == wanted
    assert HierarchicalFusion.levels_read(HierarchicalFusion.Config()) == set(LEVELS)
    fusion = FusionChoice.of("hierarchical", levels=levels)
    model = build_model(RunConfig(fusion=fusion, modalities=("audio",)), outputs=3)
    assert model.encoders["audio"].levels == wanted
    assert (model.encoders["audio"].pool is not None) == ("clip" in wanted)


def test_only_the_levels_named_are_looked_at() -> None:
    fusion, features = made("hierarchical", MODALITIES, levels="trunk")
    only = {m: Features(f.present, trunk=f.trunk) for m, f in features.items()}
    with torch.no_grad():
        assert torch.equal(fusion(only).pooled, fusion(features).pooled)


@pytest.mark.parametrize("levels", ["stem+trunk+clip", "trunk", "clip"])
@pytest.mark.parametrize("direction", ["both", "to_visual", "to_audio", "to_text"])
def test_only_the_named_modality_hears_others(direction: str, levels: str) -> None:
    """Seen in the summaries: which moves when which modality is another."""
    fusion, _ = made("hierarchical", MODALITIES, levels=levels, direction=direction)
    everything = torch.ones(2, 3, dtype=torch.bool)
    features, other = draw(MODALITIES, everything), draw(MODALITIES, everything, seed=1)
    summaries: list[torch.Tensor] = []
    fusion.mix.register_forward_hook(lambda module, given, out: summaries.append(given[0]))
    with torch.no_grad():
        fusion(features)
        for name in MODALITIES:
            fusion(features | {name: other[name]})
    for changed, name in enumerate(MODALITIES):
        moved = (summaries[changed + 1] - summaries[0]).unflatten(1, (3, WIDTH)).abs().amax(dim=(0, 2))
        hears = [m == name or direction in ("both", f"to_{m}") for m in MODALITIES]
        assert (moved > 1e-4).tolist() == hears


def test_shared_weights_are_trained_by_every_level() -> None:
    torch.manual_seed(0)
    fusion = maker(MODALITIES, shared=True, levels="stem+trunk")()
    single = maker(MODALITIES, levels="stem")()
    assert sum(p.numel() for p in fusion.parameters()) == sum(p.numel() for p in single.parameters())
    calls = []
    fusion.stages["all"].register_forward_hook(lambda *_: calls.append(1))
    fusion(draw(MODALITIES, torch.ones(2, 3, dtype=torch.bool)))
    assert len(calls) == 2


def test_a_wrong_level_is_refused_before_anything_is_built() -> None:
    with pytest.raises(InputError, match="fusion 'hierarchical': levels: Unknown level 'frames'"):
        FusionChoice.of("hierarchical", levels="frames")
