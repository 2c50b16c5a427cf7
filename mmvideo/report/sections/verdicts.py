"""Who beats whom: every paired comparison, as a matrix and as a list."""

from __future__ import annotations

from typing import Any

from mmvideo.report.compare import Comparison
from mmvideo.report.comparisons import FAMILIES, SINGLES
from mmvideo.report.sections import Content

POSITION = 40


def content(comparison: Comparison) -> Content | None:
    matrix = verdict_matrix(comparison)
    return (
        Content(
            {
                "matrix": matrix,
                "columns": _columns(comparison, matrix),
                "references": _references(comparison, matrix),
                "families": FAMILIES,
                "pairs": comparison.pairs.to_dict("records"),
            }
        )
        if matrix
        else None
    )


def verdict_matrix(comparison: Comparison) -> dict[str, dict[str, dict[str, Any]]]:
    """Every comparison of a fusion, from both sides: matrix[row][column] is the row against the column."""
    matrix: dict[str, dict[str, dict[str, Any]]] = {}
    turned = {"better": "worse", "worse": "better"}
    names = set(comparison.table.loc[comparison.table["kind"] == "fusion", "arm"])
    for pair in comparison.pairs[comparison.pairs["family"] != SINGLES].to_dict("records"):
        cell = {name: pair[name] for name in ("difference", "low", "high", "adjusted_p", "verdict")}
        matrix.setdefault(pair["a"], {})[pair["b"]] = cell
        if pair["b"] in names:
            word = turned.get(pair["verdict"], pair["verdict"])
            other = {
                "difference": -pair["difference"],
                "low": -pair["high"],
                "high": -pair["low"],
                "verdict": word,
            }
            matrix.setdefault(pair["b"], {})[pair["a"]] = other | {"adjusted_p": pair["adjusted_p"]}
    return {name: matrix[name] for name in comparison.table["arm"] if name in matrix}


def _columns(comparison: Comparison, matrix: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """What stands above the matrix: the fusions in the table's order, then what they are measured against."""
    compared = {name for cells in matrix.values() for name in cells}
    return [name for name in comparison.table["arm"] if name in compared]


def _references(comparison: Comparison, matrix: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Of these what is shown unfolded: all controls, and of the fusions the one that validation picks."""
    return [name for name in _columns(comparison, matrix) if name == comparison.leader or name not in matrix]
