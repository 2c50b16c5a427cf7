"""What each factor of a factorial study changes, and where two of them interact."""

from __future__ import annotations

from typing import Any

from mmvideo.evaluation.factors import factor_levels
from mmvideo.report.charts import levels
from mmvideo.report.compare import Comparison
from mmvideo.report.factors import INTERACTION, MAIN, factored, to_read
from mmvideo.report.sections import Content

POSITION = 25


def content(comparison: Comparison) -> Content | None:
    found = to_read(comparison.study)
    if found.empty:
        return None
    arms = factored(comparison.study)
    cells = two_way(comparison)
    tables = {kind: found[found["kind"] == kind].to_dict("records") for kind in (MAIN, INTERACTION)}
    shown = {kind: rows for kind, rows in tables.items() if rows}
    curves = None if cells is None else _curves(cells)
    charts = {} if curves is None else {"levels": levels.chart(comparison, *curves)}
    return Content(
        {"tables": shown, "n_arms": len(arms), "cells": cells, "along": curves and curves[1]}, charts
    )


def _curves(cells: dict[str, Any]) -> tuple[dict[tuple[str, str], Any], str] | None:
    """The combinations by the factor whose levels are numbers, and that factor; None where neither's are."""
    (down, across), found = cells["factors"], cells["rows"]
    if levels.numbers(cells["columns"]):
        return {(row, column): cell for row, of in found.items() for column, cell in of.items()}, across
    if levels.numbers(list(found)):
        return {(column, row): cell for row, of in found.items() for column, cell in of.items()}, down
    return None


def two_way(comparison: Comparison) -> dict[str, Any] | None:
    """Of a study of two factors the row of each combination in the table of results: `rows[a][b]`, with the
    `columns` and the two `factors`; the one with more levels stands above. None of other studies."""
    arms = {arm.name: arm.factors for arm in factored(comparison.study)}
    of = factor_levels(list(arms.values()))
    if len(of) != 2 or len({tuple(own[factor] for factor in of) for own in arms.values()}) < len(arms):
        return None  # two arms of one combination differ in what others have no level of
    (down, rows), (across, columns) = sorted(of.items(), key=lambda item: len(item[1]))
    found: dict[str, dict[str, Any]] = {row: {} for row in rows}
    for result in comparison.table.to_dict("records"):
        if result["arm"] in arms:
            own = arms[result["arm"]]
            found[own[down]][own[across]] = result
    return {"factors": (down, across), "columns": columns, "rows": found}
