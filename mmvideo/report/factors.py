"""What a factorial study says of its factors: main effects and two-way interactions, each with its test."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy import ndarray

from mmvideo.evaluation.factors import Contrast, contrasts, effect_of, factor_levels
from mmvideo.report.runs import StudyRuns

COLUMNS = ("factor", "level", "arms", "effect", "low", "high", "p", "adjusted_p")
MAIN, INTERACTION = "main effect", "interaction"


def effects(study: StudyRuns) -> pd.DataFrame:
    """A row per effect, of `kind` main effect or interaction (see `mmvideo.evaluation.factors`); empty where
    the study is not factorial.

    `factor` and `level` of an interaction are two, joined by ` × `. `effect` with its 95 % interval is in the
    task's score. p is adjusted by Holm's method among main effects and among interactions, where effects that
    are each other's negative are one test; it is empty where there is one seed.
    """
    arms = [arm for arm in study.arms if arm.factors]
    found = contrasts([arm.factors for arm in arms]) if is_factorial(study) else []
    if not found:
        return pd.DataFrame(columns=["kind", *COLUMNS])
    scores = np.stack([study.task.clip_scores(arm.outputs, study.clips.labels) for arm in arms])
    rows = []
    for contrast in found:
        size = effect_of(contrast, scores, study.clips.units, limits=study.task.range)
        rows.append(
            {
                "kind": MAIN if len(contrast.factors) == 1 else INTERACTION,
                "factor": " × ".join(contrast.factors),
                "level": " × ".join(contrast.levels),
                "arms": contrast.n_arms,
                "effect": size.difference,
                "low": size.low,
                "high": size.high,
                "p": np.nan if size.clips_only else size.p,
                "test": _test(contrast),
            }
        )
    table = pd.DataFrame(rows)
    table["adjusted_p"] = np.nan
    for _, family in table[table["p"].notna()].groupby("kind"):
        tests = family.drop_duplicates("test")
        adjusted = dict(zip(tests["test"], _holm(tests["p"].to_numpy()), strict=True))
        table.loc[family.index, "adjusted_p"] = family["test"].map(adjusted)
    return table[["kind", *COLUMNS]]


def is_factorial(study: StudyRuns) -> bool:
    """Whether its arms have two factors or more, each of two levels or more."""
    return len(factor_levels([arm.factors for arm in study.arms if arm.factors])) > 1


def _holm(p_values: ndarray) -> ndarray:
    """Holm's step-down adjusted p values (1979): they bound the chance of any false finding in a family."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted


def _test(contrast: Contrast) -> str:
    """The same for two effects that are each other's negative."""
    weights = contrast.weights.round(9)
    first = weights[np.flatnonzero(weights)[0]] if weights.any() else 1.0
    return str((weights * np.sign(first) + 0.0).tolist())
