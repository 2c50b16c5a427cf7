"""What each arm's runs score when they are given some of their modalities only."""

from __future__ import annotations

import altair as alt
import numpy as np

from mmvideo.report.charts.confusion import heat, heat_text
from mmvideo.report.charts.theme import Chart, rows
from mmvideo.report.compare import Comparison
from mmvideo.vocabulary import presence_pattern


def scores(comparison: Comparison) -> dict[str, dict[str, float]]:
    """For each arm of several modalities, in the table's order: subset → test score, mean over the seeds."""
    arms, score = {arm.name: arm for arm in comparison.study.arms}, comparison.study.task.score
    found = {}
    for name in comparison.table["arm"]:
        if name not in arms or arms[name].unimodal:
            continue
        runs = [run.result.test_subsets for run in arms[name].runs]
        shared = [subset for subset in runs[0] if all(subset in held for held in runs)]
        if shared:
            found[name] = {s: float(np.mean([held[s][score] for held in runs])) for s in shared}
    return found


def chart(comparison: Comparison) -> Chart:
    """Arm × subset: test score; the better the stronger."""
    task, found = comparison.study.task, scores(comparison)
    wording, form = task.display, f".{task.display.digits}f"
    subsets = list(dict.fromkeys(subset for held in found.values() for subset in held))
    subsets.sort(key=lambda subset: (subset != presence_pattern(()), subset.count("+")))
    cells = [
        {"arm": arm, "subset": subset, "score": wording.factor * value}
        for arm, held in found.items()
        for subset, value in held.items()
    ]
    numbers = [wording.factor * value for held in found.values() for value in held.values()]
    ends = (min(numbers), max(numbers)) if task.higher_is_better else (max(numbers), min(numbers))
    bare = {"title": None, "ticks": False, "domain": False, "grid": False}
    base = alt.Chart(rows(cells)).encode(
        x=alt.X("subset:N", scale=alt.Scale(domain=subsets),
                axis=alt.Axis.from_dict(bare | {"orient": "top", "labelAngle": -30})),
        y=alt.Y("arm:N", scale=alt.Scale(domain=list(found)), axis=alt.Axis.from_dict(bare)),
    )  # fmt: skip
    tips = [
        alt.Tooltip("arm:N", title="arm"),
        alt.Tooltip("subset:N", title="given"),
        alt.Tooltip("score:Q", title=f"test {wording.axis}", format=form),
    ]
    layers = [heat(base, tips, "score", ends), heat_text(base, "score", form, ends)]
    return alt.layer(*layers).properties(width=95 * len(subsets), height=22 * len(found))
