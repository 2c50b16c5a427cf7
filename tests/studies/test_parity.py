"""Strategies brought to one number of parameters."""

from __future__ import annotations

import pytest
import torch

from mmvideo.components import FUSIONS, FusionChoice
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.model import build_fusion
from mmvideo.studies.parity import fusion_parameters, match_parameters
from mmvideo.studies.study import Arm

STRATEGIES = sorted(set(FUSIONS) - {"single"})


def arm(name: str, **options: int) -> Arm:
    return Arm(name, RunConfig(width=64, fusion=FusionChoice.of(name, **options)))


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"hierarchical"}))
def test_every_strategy_takes_the_size_of_hierarchical(name: str) -> None:
    reference, matched = match_parameters([arm("hierarchical"), arm(name)], "hierarchical")
    target = fusion_parameters(reference.config)
    assert abs(fusion_parameters(matched.config) - target) <= 0.05 * target
    assert reference.config.fusion_width is None, "the reference stays as it is"


def test_the_maps_to_the_fusions_width_count() -> None:
    config = arm("late").config.model_copy(update={"fusion_width": 48})
    assert fusion_parameters(config) == sum(p.numel() for p in build_fusion(config).parameters())
    inner = sum(p.numel() for p in build_fusion(config).fusion.parameters())  # type: ignore[union-attr]
    assert fusion_parameters(config) - inner == 3 * (64 * 48 + 48)


def test_counting_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    fusion_parameters(arm("late").config)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_size_no_width_gives_is_refused_with_the_nearest_ones() -> None:
    small = Arm(
        "late",
        RunConfig(width=4, modalities=("visual", "audio")).model_copy(
            update={"fusion": FusionChoice.of("late")}
        ),
    )
    with pytest.raises(InputError, match=r"'mult' cannot be brought to .* nearest sizes are"):
        match_parameters(
            [small, Arm("mult", small.config.model_copy(update={"fusion": FusionChoice.of("mult")}))], "late"
        )


def test_an_unknown_reference_is_named() -> None:
    with pytest.raises(InputError, match="no arm 'hierarchical'; the arms are late"):
        match_parameters([arm("late")], "hierarchical")
