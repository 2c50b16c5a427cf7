"""How a task's numbers are written: the score's name, its unit, and what else a table shows of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

NUMBER = ("%.3f", 1.0)
SHORT = ("%.2f", 1.0)
PERCENT = ("%.1f", 100.0)


@dataclass(frozen=True)
class Column:
    """One more metric of a table: its key, its head, how it is printed and scaled."""

    key: str
    head: str
    form: str
    factor: float
    terminal: bool = True
    """Whether the terminal's table, which has to be narrow, shows it too."""

    def text(self, value: float) -> str:
        """The value as printed; a dash where there is none."""
        return "–" if _lacks(value) else (self.form % (self.factor * value)).replace("-", "−")


@dataclass(frozen=True)
class MetricDisplay:
    """The words and units of one task's primary score."""

    name: str
    claim: str
    """How a sentence about an arm states its score, with `{}` for the number."""
    left: str
    """What a sentence says is left with permuted modalities, with `{}` for the number."""
    unit: str
    """After a number, with its space; empty for plain numbers."""
    change_unit: str
    """After a difference."""
    factor: float
    digits: int
    columns: tuple[Column, ...]
    """Further metrics of the table, in this order."""
    head: str
    """The name where there is little room."""

    def value(self, score: float) -> str:
        """A score without its unit; a dash where there is none."""
        return "–" if _lacks(score) else f"{self.factor * score:z.{self.digits}f}".replace("-", "−")

    def change(self, difference: float) -> str:
        """A difference of two scores with its sign, which what rounds to zero has not; without its unit. A
        dash where there is none."""
        if _lacks(difference):
            return "–"
        text = f"{self.factor * difference:+z.{self.digits}f}"
        return (text if float(text) else text[1:]).replace("-", "−")

    @property
    def axis(self) -> str:
        """The score's name and unit, as an axis or a table's head has them."""
        return f"{self.name},{self.unit}" if self.unit else self.name

    @property
    def change_axis(self) -> str:
        """What follows a difference's description there."""
        return f",{self.change_unit}" if self.change_unit else ""


def _lacks(value: float | None) -> bool:
    return value is None or math.isnan(value)
