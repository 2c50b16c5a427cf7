"""Strategies of one size: what a fusion gains must not be what its parameters gain.

A fusion may work in a width of its own (`fusion_width`); one linear map a modality brings the encoders'
outputs to it. Chosen per strategy, it gives all of them the same number of parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.model import build_fusion
from mmvideo.studies.study import Arm, Study

TOLERANCE = 0.05
WIDEST = 2048


def fusion_parameters(config: RunConfig) -> int:
    """Trainable parameters from the encoders' outputs to the vector the head reads."""
    with torch.device("meta"):  # shapes alone: nothing is allocated or drawn
        return sum(p.numel() for p in build_fusion(config).parameters() if p.requires_grad)


def sized(study: Study) -> Study:
    """The study with its fusion arms brought to the size of the one it names; any other as it is.

    Raises:
        InputError: as `match_parameters`.
    """
    if study.same_size_as is None:
        return study
    fusions = [arm for arm in study.arms if arm.role == "fusion"]
    matched = {arm.name: arm for arm in match_parameters(fusions, study.same_size_as)}
    return dataclasses.replace(study, arms=tuple(matched.get(arm.name, arm) for arm in study.arms))


def match_parameters(arms: Sequence[Arm], reference: str, tolerance: float = TOLERANCE) -> list[Arm]:
    """The arms, each with the `fusion_width` at which its fusion has as many parameters as the reference's.

    Args:
        reference: name of the arm whose size the others take. It stays as it is.
        tolerance: share by which a size may be off.

    Raises:
        InputError: no such arm; or an arm that no width brings to that size, with the nearest sizes.
    """
    named = {arm.name: arm for arm in arms}
    if reference not in named:
        raise InputError(f"match_parameters: there is no arm '{reference}'; the arms are {', '.join(named)}")
    target = fusion_parameters(named[reference].config)
    return [arm if arm.name == reference else _sized(arm, target, tolerance) for arm in arms]


def _sized(arm: Arm, target: int, tolerance: float) -> Arm:
    """The arm at the width nearest to the target.

    Attention needs widths that are multiples of its heads; where these are too coarse, it gets half as many.
    """
    heads = _heads(arm.config)
    nearest: dict[int, RunConfig] = {}
    while True:
        nearest |= _sizes_around(arm.config, heads, target)
        best = min(nearest, key=lambda size: abs(size - target))
        if abs(best - target) <= tolerance * target:
            return dataclasses.replace(arm, config=nearest[best])
        if heads is None or heads == 1:
            sizes = ", ".join(
                f"{size:,}" for size in sorted(nearest, key=lambda size: abs(size - target))[:2]
            )
            raise InputError(
                f"match_parameters: '{arm.name}' cannot be brought to {target:,} parameters "
                f"± {tolerance:.0%}; its nearest sizes are {sizes}. Leave it out, or choose another reference"
            )
        heads //= 2


def _heads(config: RunConfig) -> int | None:
    """The strategy's attention heads; None where it has none."""
    heads = getattr(config.fusion.options, "heads", None)
    return None if heads is None else int(heads)


def _sizes_around(config: RunConfig, heads: int | None, target: int) -> dict[int, RunConfig]:
    """Number of parameters → configuration, at the last width below the target and the next."""
    step = heads or 1
    options = config.fusion.options.model_dump() | ({"heads": heads} if heads else {})
    fusion = FusionChoice.of(config.fusion.name, **options)
    tried: dict[int, RunConfig] = {}

    def size(width: int) -> int:
        sized = config.model_copy(update={"fusion": fusion, "fusion_width": width})
        count = fusion_parameters(sized)
        tried[count] = sized
        return count

    low, high = 1, WIDEST // step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if size(middle * step) >= target else (middle + 1, high)
    size(low * step)
    if low > 1:
        size((low - 1) * step)
    return tried
