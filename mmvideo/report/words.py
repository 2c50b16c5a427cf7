"""How reports put numbers and names that stand in sentences and cells."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rank_text(best: float, worst: float) -> str:
    """`1`, `1–3`; a dash where there is none."""
    if math.isnan(best):
        return "–"
    return f"{best:.0f}" if best == worst else f"{best:.0f}–{worst:.0f}"


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def p_text(p: float, equals: str = "") -> str:
    """`< 0.001`, or three decimals, with `equals` before them where a sentence needs it."""
    return "< 0.001" if p < 0.001 else f"{equals}{p:.3f}"
