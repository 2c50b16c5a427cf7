"""What each modality contributes, of the arms that were measured."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mmvideo.report.compare import Comparison
from mmvideo.report.contributions import readable_contributions, sign_notes
from mmvideo.report.sections import Content

POSITION = 72
TITLES = {
    "shapley": "Shapley values",
    "dividend": "Dividends: what modalities tell together beyond their parts",
    "removal": "Removed one at a time",
    "score": "Score with each subset",
}


def content(comparison: Comparison) -> Content | None:
    table = readable_contributions(comparison.study)
    if table.empty:
        return None
    tables = [(title, *wide(table[table["quantity"] == name])) for name, title in TITLES.items()]
    _, additive = wide(table[table["quantity"] == "emap"])
    return Content({"tables": tables, "additive": additive, "sign_notes": sign_notes(table)})


def wide(table: pd.DataFrame) -> tuple[list[str], list[dict[str, Any]]]:
    """What the numbers are of, and a row for each arm and stand-in with a cell for each (or None)."""
    columns = list(dict.fromkeys(table["of"]))
    rows = []
    for (arm, stand_in), of_row in table.groupby(["arm", "stand_in"], sort=False):
        cells = {cell["of"]: cell for cell in of_row.to_dict("records")}
        rows.append({"arm": arm, "stand_in": stand_in, "cells": [cells.get(name) for name in columns]})
    return columns, rows
