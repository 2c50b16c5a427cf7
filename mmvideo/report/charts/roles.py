"""What an arm is in a study, and how that looks: the same in every chart and table."""

from __future__ import annotations

from collections.abc import Iterable

import altair as alt

from mmvideo.report.compare import Comparison
from mmvideo.report.comparisons import AGAINST_AVERAGING

ROLES = {
    "leader": "fusion that validation picks",
    "fusion": "other fusions",
    "reference": "single modality that validation picks",
    "unimodal": "other single modalities",
    "control": "controls and floors",
}
"""Each role, and what a legend calls it. It is also the name of its colour in the style sheet."""

SHAPES = {"fusion": "circle", "single modality": "square", "control": "diamond", "no training": "triangle-up",
          "floor": "triangle-down"}  # fmt: skip
"""A mark for each kind of row, for those who see no colour."""


def roles(comparison: Comparison) -> dict[str, str]:
    """The role of each row of the table."""
    chosen = {comparison.leader: "leader", comparison.best_unimodal: "reference"}
    of_kind = {"fusion": "fusion", "single modality": "unimodal"}
    return {
        arm: chosen.get(arm) or of_kind.get(kind, "control")
        for arm, kind in zip(comparison.table["arm"], comparison.table["kind"], strict=True)
    }


def described(comparison: Comparison) -> dict[str, dict[str, str]]:
    """For each row of the table what a chart's data say of it beside its numbers."""
    kinds = dict(zip(comparison.table["arm"], comparison.table["kind"], strict=True))
    return {
        arm: {"arm": arm, "role": ROLES[role], "kind": kinds[arm]} for arm, role in roles(comparison).items()
    }


def colour(comparison: Comparison, arms: Iterable[str] | None = None) -> alt.Color:
    """Colour by role.

    Args:
        arms: those that are drawn, if not all: only their roles stand in the legend.
    """
    of = roles(comparison)
    drawn = {of[arm] for arm in (of if arms is None else arms)}
    held = [role for role in ROLES if role in drawn]
    scale = alt.Scale(domain=[ROLES[role] for role in held], range=[f"var(--{role})" for role in held])
    return alt.Color("role:N", scale=scale, legend=alt.Legend(symbolOpacity=1, symbolType="circle"))


def shape() -> alt.Shape:
    """A mark by kind, without a legend of its own."""
    return alt.Shape("kind:N", scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())), legend=None)


def key_arms(comparison: Comparison) -> list[str]:
    """The rows that a chart names where it cannot name all: what validation picks, and score averaging."""
    pairs = comparison.pairs
    averaged = pairs.loc[(pairs["family"] == AGAINST_AVERAGING) & (pairs["a"] == comparison.leader), "b"]
    chosen = (comparison.leader, comparison.best_unimodal, *averaged)
    return [name for name in chosen if name is not None and name in set(comparison.table["arm"])]


def spread(values: list[float], gap: float) -> list[float]:
    """Where labels beside such values stand, in their order, so that each is a gap from the next."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    placed = [values[place] for place in order]
    for _ in range(200):
        moved = False
        for low in range(len(placed) - 1):
            lacking = gap - (placed[low + 1] - placed[low])
            if lacking > gap * 1e-3:
                placed[low] -= lacking / 2
                placed[low + 1] += lacking / 2
                moved = True
        if not moved:
            break
    found = dict(zip(order, placed, strict=True))
    return [found[place] for place in range(len(values))]
