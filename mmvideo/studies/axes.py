"""Axes over fields of the configuration: crossed, zipped, filtered and named, they are a study's arms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mmvideo.components import Choice
from mmvideo.errors import InputError, unknown
from mmvideo.schema import Option
from mmvideo.vocabulary import counted


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
        """Only the combinations that `keep` is true of: `lambda cell: cell["fusion"] != "late"`.

        Raises:
            InputError: that leaves none.
        """
        kept = tuple(cell for cell in self.cells if keep(cell))
        if not kept:
            given = f"{counted(len(self.cells), 'combination')} of {', '.join(self.factors)}"
            raise InputError(f"`where` keeps none of {given}; it is to be true of those that become arms.")
        return Design(kept, self.name)

    def named(self, name: Callable[[Cell], str]) -> Design:
        """Arms are called as the function says; else by all their levels, as `late-visual+text`."""
        return Design(self.cells, name)

    @property
    def factors(self) -> tuple[str, ...]:
        """The names of its factors."""
        return tuple(dict.fromkeys(factor for cell in self.cells for factor in cell.levels))

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
        InputError: no values, or two of one label.
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


def _cells(factor: str, levels: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> tuple[Cell, ...]:
    """Of one axis: labels → its value and what that sets."""
    cells = []
    for label, (value, settings) in levels.items():
        plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", str(label)).strip("-.") or "none"
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
        twice = [field for field in cell.settings if _says(settings, field)]
        twice += [field for field in settings if _says(cell.settings, field)]
        if twice:
            raise InputError(f"Two axes have to do with {', '.join(twice)}; name or set it once.")
        levels |= cell.levels
        values |= cell.values
        settings |= cell.settings
    return Cell(levels, values)


def _says(settings: Mapping[str, Any], field: str) -> bool:
    """Whether a section that is set says itself what a field in it is."""
    for section, value in settings.items():
        if field.startswith(f"{section}."):
            for key in field.removeprefix(f"{section}.").split("."):
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                return True
    return False


def _labelled(field: str, values: Iterable[Any]) -> dict[str, Any]:
    """The values by their labels: names and numbers as they are, lists joined, a class by its own name. A
    value that is given twice is one.

    Raises:
        InputError: a value without a label, or with that of another one.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"The axis '{field}' takes several values, as in ({values!r},); got {values!r}.")
    found = dict[str, Any]()
    for value in values:
        if isinstance(value, Choice):
            label = value.name
        elif isinstance(value, tuple | list) and value:
            label = "+".join(map(str, value))
        elif value is None or isinstance(value, Option):
            label = f"{value:g}" if isinstance(value, float) else str(value)
        else:
            raise InputError(f"A value of the axis '{field}' needs a label, as in {{'mine': {value!r}}}.")
        label = label.rpartition(":")[2]
        other = found.setdefault(label, value)
        if type(other) is not type(value) or other != value:
            raise InputError(
                f"Two values of the axis '{field}' would be called '{label}': {other!r} and {value!r}. Label "
                "them, as in {'mine': …, 'other': …}."
            )
    return found
