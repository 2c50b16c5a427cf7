"""The paired comparisons a report makes, in the families that Holm's adjustment is made within."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from mmvideo.evaluation.statistics import compare_arms, holm, verdict
from mmvideo.report import controls
from mmvideo.report.rows import Row
from mmvideo.report.runs import StudyRuns

AGAINST_UNIMODAL = "fusion against the best single modality"
AGAINST_AVERAGING = "fusion against score averaging"
BETWEEN_FUSIONS = "fusion against fusion"

PAIR_COLUMNS = [
    "family", "a", "b", "difference", "low", "high", "p", "adjusted_p", "verdict", "seeds_needed",
    "n_seeds", "n_clips", "n_groups",
]  # fmt: skip


def compare_pairs(study: StudyRuns, rows: list[Row], best: str | None) -> pd.DataFrame:
    """The three families of tests; Holm's adjustment is made within each."""
    by_name = {row.name: row for row in rows}
    fusions = [row.name for row in rows if row.kind == "fusion"]
    families = {
        AGAINST_UNIMODAL: [(name, best) for name in fusions] if best else [],
        AGAINST_AVERAGING: [
            (name, controls.SCORE_AVERAGING) for name in fusions if controls.SCORE_AVERAGING in by_name
        ],
        BETWEEN_FUSIONS: list(combinations(fusions, 2)),
    }
    records = []
    for family, names in families.items():
        tests = [
            compare_arms(
                by_name[a].scores(study),
                by_name[b].scores(study),
                study.clips.units,
                comparisons=len(names),
                limits=study.task.range,
            )
            for a, b in names
        ]
        adjusted, up = holm([test.p for test in tests]), study.task.higher_is_better
        for (a, b), test, p in zip(names, tests, adjusted, strict=True):
            records.append({
                "family": family, "a": a, "b": b,
                "difference": test.difference, "low": test.low, "high": test.high,
                "p": test.p, "adjusted_p": p, "verdict": verdict(test, p, higher_is_better=up),
                "seeds_needed": test.seeds_needed,
                "n_seeds": test.n_seeds, "n_clips": test.n_clips, "n_groups": study.clips.n_groups,
            })  # fmt: skip
    return pd.DataFrame(records, columns=PAIR_COLUMNS)
