"""The paired comparisons a report makes, in the families that Holm's adjustment is made within."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from mmvideo.evaluation.statistics import compare_arms, holm, verdict
from mmvideo.report import controls
from mmvideo.report.rows import Row
from mmvideo.report.runs import StudyRuns

AGAINST_UNIMODAL = "fusion against the best single modality"
AGAINST_PRESENCE = "fusion against the missingness baseline"
AGAINST_BOTH = "fusion against the best single modality with missingness"
AGAINST_AVERAGING = "fusion against score averaging"
AGAINST_NO_INPUT = "fusion against no input"
SINGLES = "single modality against no content"
BETWEEN_FUSIONS = "fusion against fusion"
FAMILIES = (
    AGAINST_UNIMODAL, AGAINST_PRESENCE, AGAINST_BOTH, AGAINST_AVERAGING, AGAINST_NO_INPUT, SINGLES,
    BETWEEN_FUSIONS,
)  # fmt: skip
"""In the order of tables. Each asks one question of several arms, and is adjusted for these. That fusion
gains is claimed only where one arm is better in every family that has controls: an intersection-union test,
which needs no adjustment over the families (Berger 1982, https://doi.org/10.1080/00401706.1982.10487790)."""

PAIR_COLUMNS = [
    "family", "a", "b", "difference", "low", "high", "p", "adjusted_p", "verdict", "seeds_needed",
    "n_seeds", "n_clips", "n_groups",
]  # fmt: skip


def compare_pairs(study: StudyRuns, rows: list[Row], best: str | None) -> pd.DataFrame:
    """The families of tests; Holm's adjustment is made within each.

    Single modalities are tested against what knows which modalities a clip has, and not what they hold. Where
    that is right as often as what knows nothing, on the same clips, it is tested once, as no input.
    """
    by_name = {row.name: row for row in rows}
    fusions, singles = (
        [row.name for row in rows if row.kind == kind] for kind in ("fusion", "single modality")
    )
    no_input = next(name for name in controls.NO_INPUT if name in by_name)
    constant, presence = (by_name[name].scores(study) for name in (no_input, controls.MISSINGNESS))
    no_content = no_input if np.array_equal(constant, presence) else controls.MISSINGNESS
    against = {
        AGAINST_UNIMODAL: best,
        AGAINST_PRESENCE: controls.MISSINGNESS if no_content != no_input else None,
        AGAINST_BOTH: controls.WITH_MISSINGNESS,
        AGAINST_AVERAGING: controls.SCORE_AVERAGING,
        AGAINST_NO_INPUT: no_input,
    }
    families = {
        family: [(name, other) for name in fusions] for family, other in against.items() if other in by_name
    }
    families[SINGLES] = [(name, no_content) for name in singles]
    families[BETWEEN_FUSIONS] = list(combinations(fusions, 2))
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
