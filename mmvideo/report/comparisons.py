"""The paired comparisons a report makes, in the families whose intervals and verdicts hold together."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mmvideo.evaluation.pigeonhole import pigeonhole_interval
from mmvideo.evaluation.ranks import rank_sets
from mmvideo.evaluation.simultaneous import compare_family
from mmvideo.evaluation.statistics import ALPHA, verdict
from mmvideo.report import controls
from mmvideo.report.rows import Row, references
from mmvideo.report.runs import StudyRuns
from mmvideo.vocabulary import first_of

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
"""In the order of tables. Each asks one question of several arms, and holds for these together. That fusion
gains is claimed only where one arm is better in every family that has controls: an intersection-union test,
which needs no adjustment over the families (Berger 1982, https://doi.org/10.1080/00401706.1982.10487790)."""

PAIR_COLUMNS = [
    "family", "a", "b", "difference", "low", "high", "p", "adjusted_p", "verdict", "margin", "seeds_needed",
    "detectable", "half_width", "half_width_twice_seeds", "half_width_twice_clips", "next", "bootstrap_low",
    "bootstrap_high", "bootstrap_agrees", "n_seeds", "n_clips", "n_groups",
]  # fmt: skip


def compare_pairs(study: StudyRuns, rows: list[Row], margin: float | None = None) -> pd.DataFrame:
    """The families of tests; intervals, adjusted p values and verdicts hold for each together.

    Every arm is compared with the controls made under its conditions. Single modalities are tested against
    what knows which modalities a clip has, and not what they hold. Where that is right as often as what knows
    nothing, on the same clips, it is tested once, as no input.

    Args:
        margin: of equivalence, in the score's unit; None: nothing is called equivalent.
    """
    scores = {row.name: row.scores(study) for row in rows}
    families: dict[str, list[tuple[str, str]]] = {family: [] for family in FAMILIES}
    best = references(study)
    for row in rows:
        if row.kind not in ("fusion", "single modality"):
            continue
        beside = {other.control: other.name for other in rows if row.name in other.beside}
        no_input = next(beside[name] for name in controls.NO_INPUT if name in beside)
        presence = beside[controls.MISSINGNESS]
        if np.array_equal(scores[no_input], scores[presence]):
            presence = no_input
        if row.kind == "single modality":
            families[SINGLES].append((row.name, presence))
            continue
        against = {
            AGAINST_UNIMODAL: best.get(row.name),
            AGAINST_PRESENCE: presence if presence != no_input else None,
            AGAINST_BOTH: beside.get(controls.WITH_MISSINGNESS),
            AGAINST_AVERAGING: beside.get(controls.SCORE_AVERAGING),
            AGAINST_NO_INPUT: no_input,
        }
        for family, other in against.items():
            if other is not None:
                families[family].append((row.name, other))
    families[BETWEEN_FUSIONS] = list(combinations([row.name for row in rows if row.kind == "fusion"], 2))
    records = [
        {"family": family, **record}
        for family, names in families.items()
        for record in _tested(study, scores, names, margin)
    ]
    return pd.DataFrame(records, columns=PAIR_COLUMNS)


def _tested(
    study: StudyRuns, scores: dict[str, np.ndarray], names: list[tuple[str, str]], margin: float | None
) -> list[dict[str, Any]]:
    """A family's comparisons."""
    if not names:
        return []
    arms, units, wording = (
        sorted({name for pair in names for name in pair}),
        study.clips.units,
        study.task.display,
    )
    tests = compare_family(
        np.stack([scores[name] for name in arms]),
        [(arms.index(a), arms.index(b)) for a, b in names],
        units,
        limits=study.task.range,
        margin=margin,
    )
    within = "" if margin is None else f"{wording.value(margin)}{wording.change_unit}"
    records = []
    for (a, b), test in zip(names, tests, strict=True):
        later = test.next_dollar
        low, high = pigeonhole_interval(scores[a].astype(float) - scores[b], units)
        records.append({
            "a": a, "b": b, "difference": test.difference, "low": test.low, "high": test.high,
            "p": test.p, "adjusted_p": test.adjusted_p,
            "verdict": verdict(test, higher_is_better=study.task.higher_is_better, margin=within),
            "margin": margin, "seeds_needed": test.seeds_needed, "detectable": test.detectable,
            "half_width": later.now, "half_width_twice_seeds": later.more_seeds,
            "half_width_twice_clips": later.more_clips, "next": later.advice,
            "bootstrap_low": low, "bootstrap_high": high,
            "bootstrap_agrees": (test.p < ALPHA) == (not low <= 0 <= high),
            "n_seeds": test.n_seeds, "n_clips": test.n_clips, "n_groups": study.clips.n_groups,
        })  # fmt: skip
    return records


def fusion_ranks(study: StudyRuns, rows: list[Row], pairs: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """The ranks among the fusions that the data leave open; none of a single seed."""
    if len(study.seeds) == 1:
        return {}
    between = pairs[pairs["family"] == BETWEEN_FUSIONS].to_dict("records")
    return rank_sets(
        [row.name for row in rows if row.kind == "fusion"],
        {(pair["a"], pair["b"]): (pair["low"], pair["high"]) for pair in between},
        higher_is_better=study.task.higher_is_better,
    )


def bootstrap_notes(pairs: pd.DataFrame) -> list[str]:
    """Where the pigeonhole bootstrap leaves out 0 and the interval does not, or the other way round."""
    differing = pairs[~pairs["bootstrap_agrees"].astype(bool)]
    if differing.empty:
        return []
    names = first_of([f"{pair['a']} against {pair['b']}" for pair in differing.to_dict("records")])
    return [
        "The pigeonhole bootstrap, a cross-check of each comparison by itself, disagrees about whether 0 is "
        f"left out in {len(differing)} of {len(pairs)}: {names}. It does not allow for few seeds; no verdict "
        "follows it."
    ]
