"""Where a study's variance comes from, and whether the next dollar is better spent on seeds or on clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from mmvideo.evaluation.components import components
from mmvideo.evaluation.design import next_dollar
from mmvideo.evaluation.spread import spread_of
from mmvideo.evaluation.statistics import ALPHA
from mmvideo.report.rows import Row, references
from mmvideo.report.runs import StudyRuns

SOURCES = ("seed", "group", "clip", "seed_group", "seed_clip")
COLUMNS = ("what", *SOURCES, "half_width", "half_width_twice_seeds", "half_width_twice_clips", "next")


def variance_table(study: StudyRuns, rows: list[Row]) -> pd.DataFrame:
    """A row per trained arm, and per difference of a fusion to the best single modality of its conditions.

    `seed`, `group`, `clip`, `seed_group` and `seed_clip` are standard deviations of one seed's score on one
    clip (`mmvideo.evaluation.components`); `half_width…` are of the 95 % interval of this mean by itself.
    """
    found = [_described(study, what, values) for what, values in _values(study, rows)]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _values(study: StudyRuns, rows: list[Row]) -> Iterator[tuple[str, ndarray]]:
    scores = {row.name: row.scores(study).astype(float) for row in rows}
    arms = [row for row in rows if row.kind in ("fusion", "single modality")]
    for row in arms:
        yield row.name, scores[row.name]
    best = references(study)
    for row in arms:
        if row.kind == "fusion" and row.name in best:
            reference = best[row.name]
            yield f"{row.name} − {reference}", scores[row.name] - scores[reference]


def _described(study: StudyRuns, what: str, values: ndarray) -> dict[str, Any]:
    units = study.clips.units
    lowest, highest = study.task.range
    spread = spread_of(values, units, float(np.abs(values).max(initial=0)))
    later = next_dollar(spread, ALPHA, most=highest - lowest)
    variances = asdict(components(values, units))
    return {
        "what": what,
        **{name: np.nan if found is None else np.sqrt(found) for name, found in variances.items()},
        "half_width": later.now,
        "half_width_twice_seeds": later.more_seeds,
        "half_width_twice_clips": later.more_clips,
        "next": later.advice,
    }
