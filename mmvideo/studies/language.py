"""A study in a few lines: axes over any fields of the configuration, crossed, zipped, filtered and named.

    design = cross(Axis("fusion", ("early", "late")), Axis("modalities", subsets(config)))
    design = design.where(lambda cell: cell["fusion"] != "early" or "text" in cell["modalities"])
    study = study_of(config, design, name="mine", title="My question")

Nothing here reads data. Each arm keeps the level it has of every factor, for main effects and interactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from mmvideo.components import FUSIONS
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.studies.axes import Axis as Axis
from mmvideo.studies.axes import Cell, Design
from mmvideo.studies.axes import Variants as Variants
from mmvideo.studies.axes import cross as cross
from mmvideo.studies.axes import zipped as zipped
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Arm, Study
from mmvideo.vocabulary import OF_FUSING


def subsets(config: RunConfig, least: int = 2) -> tuple[tuple[str, ...], ...]:
    """The subsets of the configuration's modalities with so many of them or more: values of `modalities`."""
    counts = range(least, len(config.modalities) + 1)
    return tuple(subset for n in counts for subset in combinations(config.modalities, n))


def strategies(given: Iterable[str]) -> tuple[str, ...]:
    """Values of `fusion`; `all` stands for every registered one.

    Raises:
        InputError: a name that is none, or a class of the user's that cannot be imported.
    """
    names = tuple(given)
    if names == ("all",):
        return tuple(name for name in FUSIONS if name != "single")
    for name in names:
        FUSIONS.resolve(name)
    return names


def study_of(
    config: RunConfig,
    design: Design,
    *,
    name: str,
    title: str,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    controls: bool = True,
    **more: Any,
) -> Study:
    """The study that a design makes of a base's configuration: an arm for each combination, and each modality
    alone as a control (see `alone`).

    Args:
        seeds: of every arm; those of an axis `seed`, where the design has one.
        more: further fields of Study, such as `tuning` and `same_size_as`.

    Raises:
        InputError: a field or value that is none; what `Study` refuses; or arms with other seeds than others.
    """
    design, seeds = _without_seeds(design, seeds)
    arms = [Arm(called := design.name(cell), with_fields(config, cell.settings, f"arm '{called}'"),
                factors=cell.factors) for cell in design.cells]  # fmt: skip
    axes = design.fields
    if controls:
        arms += alone(config, design)
        axes = (*axes, "fusion", "modalities")
    if more.get("same_size_as"):
        axes = (*axes, "fusion_width")
    axes = tuple(dict.fromkeys(axes))
    return Study(name=name, title=title, arms=tuple(arms), axes=axes, seeds=tuple(seeds), **more)


def alone(config: RunConfig, design: Design) -> list[Arm]:
    """The controls that no comparison of fusions goes without: each modality alone.

    Where other axes than those of fusing change what a modality does alone, one control for each of their
    levels: `visual-0.1` and `visual-1` beside arms with a tenth of the training clips and all.
    """
    fields: dict[str, set[str]] = {factor: set() for cell in design.cells for factor in cell.levels}
    for cell in design.cells:
        for factor, level in cell.levels.items():
            fields[factor] |= level.settings.keys()
    found: dict[str, Arm] = {}
    for modality, cell in product(config.modalities, design.cells):
        told = [f for f in cell.levels if any(_concerns(modality, field) for field in fields[f])]
        several = [f for f in told if len({other.factors.get(f) for other in design.cells}) > 1]
        called = "-".join([modality, *(cell.levels[factor].label for factor in several)])
        if called not in found:
            settings = {field: value for field, value in cell.settings.items() if _concerns(modality, field)}
            settings |= {"modalities": (modality,), "fusion": "single"}
            at = {factor: cell.levels[factor].label for factor in several}
            found[called] = Arm(called, with_fields(config, settings, f"arm '{called}'"), "control", at)
    return list(found.values())


def _concerns(modality: str, field: str) -> bool:
    """Whether a field says something of a modality alone."""
    if any(field == one or field.startswith(f"{one}.") for one in OF_FUSING):
        return False
    return not field.startswith("inputs.") or f"{field}.".startswith(f"inputs.{modality}.")


def _without_seeds(design: Design, seeds: Sequence[int]) -> tuple[Design, tuple[int, ...]]:
    """The design without its axis `seed`, and the study's seeds: those of the axis, if there is one.

    Raises:
        InputError: an arm has other seeds than the rest.
    """
    if "seed" not in design.fields:
        return design, tuple(seeds)
    by_arm: dict[str, tuple[Cell, list[int]]] = {}
    for cell in design.cells:
        kept = {factor: level for factor, level in cell.levels.items() if "seed" not in level.settings}
        arm = replace(cell, levels=kept)
        by_arm.setdefault(design.name(arm), (arm, []))[1].append(cell.settings["seed"])
    if len(found := {tuple(given) for _, given in by_arm.values()}) > 1:
        raise InputError(f"The axis 'seed' is the same for all arms, so that they are paired; got {found}.")
    return Design(tuple(arm for arm, _ in by_arm.values()), design.name), found.pop()
