"""A study in a few lines: axes over any fields of the configuration, crossed, zipped, filtered and named.

    design = cross(Axis("fusion", ("early", "late")), Axis("modalities", subsets(config)))
    design = design.where(lambda cell: cell["fusion"] != "early" or "text" in cell["modalities"])
    study = study_of(config, design, name="mine", title="My question")

Nothing here reads data. Each arm keeps the level it has of every factor, for main effects and interactions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from mmvideo.components import FUSIONS, Choice
from mmvideo.config import RunConfig
from mmvideo.errors import InputError, unknown
from mmvideo.schema import Option
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Arm, Study

OF_FUSING = ("fusion", "fusion_width", "modalities", "objective", "train.modality_dropout")
"""Fields, and sections, that say how modalities are put together. Controls, which have one, stay as the base
is in them; they go along with every other axis."""


@dataclass(frozen=True)
class Level:
    """One level of a factor: what it is called, and the fields it sets."""

    label: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One combination of levels. `cell["fusion"]` is the value that it has on the axis of that name."""

    levels: Mapping[str, Level]
    """Factor → its level. Axes that are zipped are one factor."""
    values: Mapping[str, Any]
    """Axis → the value, as it was given."""

    def __getitem__(self, axis: str) -> Any:
        if axis not in self.values:
            raise unknown("axis", axis, self.values)
        return self.values[axis]

    @property
    def factors(self) -> dict[str, str]:
        """Factor → label of the level."""
        return {factor: level.label for factor, level in self.levels.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """Field of the configuration → what it is set to."""
        return {field: value for level in self.levels.values() for field, value in level.settings.items()}


def plain_name(cell: Cell) -> str:
    """`late-visual+text`: the labels of all factors, in the order of the axes."""
    return "-".join(cell.factors.values())


@dataclass(frozen=True)
class Design:
    """Combinations of levels, each to become an arm."""

    cells: tuple[Cell, ...]
    name: Callable[[Cell], str] = plain_name

    def where(self, keep: Callable[[Cell], bool]) -> Design:
        """Only the combinations that `keep` is true of: `lambda cell: cell["fusion"] != "late"`."""
        return replace(self, cells=tuple(cell for cell in self.cells if keep(cell)))

    def named(self, name: Callable[[Cell], str]) -> Design:
        """Arms are called as the function says; else by all their levels, as `late-visual+text`."""
        return replace(self, name=name)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it sets: a study's axes."""
        return tuple(dict.fromkeys(field for cell in self.cells for field in cell.settings))


class Axis(Design):
    """A field, or section, of the configuration and the values it takes.

    Args:
        field: such as `fusion`, `objective`, `modalities`, `train.learning_rate`, `data.train_share`,
            `inputs.visual.encoder` or `inputs.visual.encoder.options.layer`; a component goes by its name, or
            as {"name": …, "options": …}.
        values: to try; labels → values where a value is no name or number, or its label is to be another.
        name: the factor's; the field's last word, if not given.

    Raises:
        InputError: no values, or two with one label.
    """

    def __init__(
        self, field: str, values: Iterable[Any] | Mapping[str, Any], name: str | None = None
    ) -> None:
        labelled = values if isinstance(values, Mapping) else _labelled(field, values)
        called = name or field.rpartition(".")[2]
        super().__init__(
            _cells(called, {label: (value, {field: value}) for label, value in labelled.items()})
        )


class Variants(Design):
    """An axis whose levels each set several fields: labels → {field: value}.

    `Variants("encoders", {"scratch": {}, "frozen": {"inputs.visual.encoder": "frame_model"}})`
    """

    def __init__(self, name: str, levels: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(_cells(name, {label: (label, settings) for label, settings in levels.items()}))


def cross(*designs: Design) -> Design:
    """Every combination of one of each, the last changing fastest.

    Raises:
        InputError: two axes of one name, or that set the same field.
    """
    return Design(tuple(_joined(cells) for cells in product(*(design.cells for design in designs))))


def zipped(*designs: Design) -> Design:
    """The first of each, the second of each …: axes that change together, and so are one factor.

    Raises:
        InputError: they are not of one length; and as `cross`.
    """
    if len(lengths := {len(design.cells) for design in designs}) != 1:
        raise InputError(f"Axes that are zipped have as many values each; these have {sorted(lengths)}.")
    cells = []
    for chosen in zip(*(design.cells for design in designs), strict=True):
        cell = _joined(chosen)
        label = "-".join(dict.fromkeys(cell.factors.values()))
        cells.append(replace(cell, levels={"+".join(cell.levels): Level(label, cell.settings)}))
    return Design(tuple(cells))


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
            found[called] = Arm(called, with_fields(config, settings, f"arm '{called}'"), "control")
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
    return replace(design, cells=tuple(arm for arm, _ in by_arm.values())), found.pop()


def _cells(factor: str, levels: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> tuple[Cell, ...]:
    """Of one axis: labels → its value and what that sets."""
    cells = []
    for label, (value, settings) in levels.items():
        plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", label).strip("-.") or "none"
        cells.append(Cell({factor: Level(plain, settings)}, {factor: value}))
    labels = [cell.levels[factor].label for cell in cells]
    if not labels or len(set(labels)) < len(labels):
        raise InputError(f"The axis '{factor}' needs values, each under a label of its own; got {labels}.")
    return tuple(cells)


def _joined(cells: Iterable[Cell]) -> Cell:
    levels: dict[str, Level] = {}
    values: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for cell in cells:
        for mine, theirs in ((levels, cell.levels), (values, cell.values), (settings, cell.settings)):
            if twice := sorted(mine.keys() & theirs.keys()):
                raise InputError(f"Two axes have to do with {', '.join(twice)}; name or set it once.")
        levels |= cell.levels
        values |= cell.values
        settings |= cell.settings
    return Cell(levels, values)


def _labelled(field: str, values: Iterable[Any]) -> dict[str, Any]:
    """The values by their labels: names and numbers as they are, lists joined, a class by its own name."""
    found = {}
    for value in values:
        if isinstance(value, Choice):
            label = value.name
        elif isinstance(value, tuple | list) and value:
            label = "+".join(map(str, value))
        elif value is None or isinstance(value, Option):
            label = f"{value:g}" if isinstance(value, float) else str(value)
        else:
            raise InputError(f"A value of the axis '{field}' needs a label, as in {{'mine': {value!r}}}.")
        found[label.rpartition(":")[2]] = value
    return found
