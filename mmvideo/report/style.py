"""How an arm looks, the same in every figure: colour, and dash and marker for those who see none."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

# Okabe & Ito (2008), without black and yellow, which vanish on one of the two backgrounds.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#8a8f98"
MARGIN = {"l": 10, "r": 10, "t": 40, "b": 60}
LEGEND_BELOW = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x")
DASHES = ("solid", "dash", "dot", "dashdot")
MATPLOTLIB_MARKERS = dict(zip(MARKERS, "osD^vPX", strict=True))
MATPLOTLIB_DASHES = dict(zip(DASHES, ("-", "--", ":", "-."), strict=True))


@dataclass(frozen=True)
class Style:
    """One arm's colour, marker and dash, by plotly's names."""

    colour: str
    marker: str
    dash: str


def styles(table: pd.DataFrame) -> dict[str, Style]:
    """A style per row of a comparison's table: fusions in colour, all they are measured against in grey."""
    chosen = {}
    fusions = sorted(table.loc[table["kind"] == "fusion", "arm"])
    for number, name in enumerate(fusions):
        lap = number // len(COLOURS) % len(DASHES)
        chosen[name] = Style(COLOURS[number % len(COLOURS)], MARKERS[lap], DASHES[lap])
    others = table.loc[table["kind"] != "fusion"].sort_values(["kind", "arm"], ascending=[False, True])["arm"]
    for number, name in enumerate(others):
        chosen[name] = Style(GREY, MARKERS[number % len(MARKERS)], DASHES[number % len(DASHES)])
    return chosen


def limit_lines(limits: dict[str, dict[str, float]] | None) -> dict[str, float]:
    """What is drawn across the accuracy figures where it is known: label → accuracy."""
    if not limits:
        return {}
    widest = max(limits["bayes"], key=lambda subset: subset.count("+"))
    lines = {"Bayes accuracy": limits["bayes"][widest]}
    if "ceiling" in limits["additive"]:
        lines["additive bound"] = limits["additive"]["ceiling"]
    return lines
