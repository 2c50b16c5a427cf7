"""The four or five numbers to see first."""

from __future__ import annotations

import pandas as pd

from mmvideo.report.compare import Comparison
from mmvideo.report.comparisons import AGAINST_AVERAGING, AGAINST_PRESENCE, AGAINST_UNIMODAL
from mmvideo.report.sections import Content

POSITION = 10


def content(comparison: Comparison) -> Content | None:
    found = tiles(comparison)
    return Content({"tiles": found}) if found else None


def tiles(comparison: Comparison) -> list[dict[str, str]]:
    """The numbers to see first, of the fusion that validation picks."""
    leader = comparison.leader
    if leader is None:
        return []
    row = comparison.table[comparison.table["arm"] == leader].to_dict("records")[0]
    score, wording = comparison.study.task.score, comparison.study.task.display
    found = [(f"{wording.value(row[score])}{wording.unit}", f"test {wording.name} of {leader}")]
    for family in (AGAINST_UNIMODAL, AGAINST_PRESENCE, AGAINST_AVERAGING):
        pairs = comparison.pairs[(comparison.pairs["family"] == family) & (comparison.pairs["a"] == leader)]
        for pair in pairs.to_dict("records"):
            interval = f"[{wording.value(pair['low'])}, {wording.value(pair['high'])}]"
            against = f"{wording.change_unit} against {pair['b']} {interval}: {pair['verdict']}".lstrip()
            found.append((wording.change(pair["difference"]), against))
    if pd.notna(row[f"permuted_{score}"]):
        left = f"{wording.value(row[f'permuted_{score}'])}{wording.unit}"
        found.append((left, "left with permuted modalities"))
    return [{"value": value, "label": label} for value, label in found]
