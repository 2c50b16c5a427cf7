"""What a factorial study says of its factors: main effects and two-way interactions, each with its test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from numpy import ndarray

from mmvideo.evaluation.factors import Contrast, contrasts, effect_of, factor_levels
from mmvideo.evaluation.simultaneous import levels_of
from mmvideo.report.runs import ArmRuns, StudyRuns

COLUMNS = ("factor", "level", "arms", "effect", "low", "high", "p", "adjusted_p")
MAIN, INTERACTION = "main effect", "interaction"


def effects(study: StudyRuns) -> pd.DataFrame:
    """A row per effect, of `kind` main effect or interaction (see `mmvideo.evaluation.factors`); empty where
    the study is not factorial.

    `factor` and `level` of an interaction are two, joined by ` × `. `effect` with its 95 % interval is in the
    task's score. Intervals and adjusted p hold for all main effects together, and for all interactions
    (max-t); effects that are each other's negative are one test. p is empty where there is one seed.
    """
    arms = factored(study)
    found = contrasts([arm.factors for arm in arms]) if is_factorial(study) else []
    if not found:
        return pd.DataFrame(columns=["kind", *COLUMNS])
    scores = np.stack([study.task.clip_scores(arm.outputs, study.clips.labels) for arm in arms])
    families: dict[str, list[Contrast]] = {MAIN: [], INTERACTION: []}
    for contrast in found:
        families[MAIN if len(contrast.factors) == 1 else INTERACTION].append(contrast)
    rows = [row for kind, family in families.items() for row in _family(study, kind, family, scores)]
    return pd.DataFrame(rows, columns=["kind", *COLUMNS])


def to_read(study: StudyRuns) -> pd.DataFrame:
    """The same for readers: of a factor with two levels the first alone, since the second's effects are its
    negative."""
    found = effects(study)
    levels = factor_levels([arm.factors for arm in factored(study)])
    second = {(factor, held[1]) for factor, held in levels.items() if len(held) == 2}
    named = zip(found["factor"].str.split(" × "), found["level"].str.split(" × "), strict=True)
    kept = [second.isdisjoint(zip(*names, strict=True)) for names in named]
    return found[np.array(kept, dtype=bool)]


def _family(
    study: StudyRuns, kind: str, family: list[Contrast], scores: Shaped[ndarray, "K S n"]
) -> Iterator[dict[str, Any]]:
    if not family:
        return
    units = study.clips.units
    levels = levels_of(scores, np.stack([contrast.weights for contrast in family]), units)
    for contrast in family:
        size = effect_of(contrast, scores, units, limits=study.task.range, levels=levels)
        yield {
            "kind": kind,
            "factor": " × ".join(contrast.factors),
            "level": " × ".join(contrast.levels),
            "arms": contrast.n_arms,
            "effect": size.difference,
            "low": size.low,
            "high": size.high,
            "p": np.nan if size.clips_only else size.p,
            "adjusted_p": np.nan if size.clips_only else size.adjusted_p,
        }


def is_factorial(study: StudyRuns) -> bool:
    """Whether its arms have two factors or more, each of two levels or more."""
    return len(factor_levels([arm.factors for arm in factored(study)])) > 1


def factored(study: StudyRuns) -> list[ArmRuns]:
    """The arms that have levels of its factors; controls, which have some of them, are not among them."""
    return [arm for arm in study.arms if arm.factors and arm.role == "fusion"]
