"""A study's result in plain sentences, made from the verdicts and nothing else."""

from __future__ import annotations

import pandas as pd

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.statistics import ONE_SEED
from mmvideo.report.comparisons import BETWEEN_FUSIONS
from mmvideo.report.controls import SCORE_AVERAGING
from mmvideo.report.runs import StudyRuns


def plain_answer(
    study: StudyRuns, table: pd.DataFrame, pairs: pd.DataFrame, leader: str | None, best_unimodal: str | None
) -> str:
    """What the fusion chosen on validation gains, over what, how surely, and what is not claimed.

    Args:
        leader: the fusion arm to speak of.
        best_unimodal: the single-modality arm it is measured against.
    """
    scope = "Nothing is claimed beyond this data set, these encoders and this training budget."
    if leader is None:
        return f"No fusion arm has all its seeds, so there is nothing to conclude about fusion. {scope}"
    wording, score = study.task.display, study.task.score
    row = table[table["arm"] == leader].to_dict("records")[0]
    n_fusions = int((table["kind"] == "fusion").sum())
    picked = f"Of {n_fusions} fusion arms validation picks {leader}: it" if n_fusions > 1 else leader
    interval = f"[{wording.value(row['low'])}, {wording.value(row['high'])}]"
    sentences = [f"{picked} {wording.claim.format(wording.value(row[score]))} {interval}."]
    if best_unimodal is not None:
        sample = f"n = {len(study.seeds)} seed{'s' * (len(study.seeds) > 1)} × {len(study.clips.ids)} clips"
        sentences.append(
            _claim(
                pairs, wording, leader, best_unimodal, f"the best single modality ({best_unimodal})", sample
            )
        )
    if SCORE_AVERAGING in set(table["arm"]):
        sentences.append(_claim(pairs, wording, leader, SCORE_AVERAGING, SCORE_AVERAGING))
    if n_fusions > 1 and len(study.seeds) > 1:
        sentences.append(_among(pairs, leader))
    if pd.notna(row[f"permuted_{score}"]):
        left = wording.left.format(wording.value(row[f"permuted_{score}"]))
        sentences.append(f"With permuted modalities {left}.")
    ceiling = (study.limits or {"additive": {}})["additive"].get("ceiling")
    if ceiling is not None and row["low"] > ceiling:
        sentences.append(
            f"Its interval lies above the additive bound ({wording.value(ceiling)} %), what any rule that "
            "adds up the modalities' votes can reach."
        )
    if study.clips.n_groups == 1:
        sentences.append(
            "All test clips are of one group: intervals and verdicts are over its clips, and do not say what "
            "another group would give."
        )
    if len(study.seeds) == 1:
        sentences.append(
            "A single seed gives no verdict: its intervals allow for other clips only, so no arm is called "
            "better or worse."
        )
    return " ".join([*sentences, scope])


def _claim(pairs: pd.DataFrame, wording: MetricDisplay, a: str, b: str, name: str, sample: str = "") -> str:
    """A verdict and by how much; what is decided is stated as a size, what is not with its sign."""
    test = pairs[(pairs["a"] == a) & (pairs["b"] == b)].to_dict("records")[0]
    decided = test["verdict"] in ("better", "worse")
    turned = decided and test["difference"] < 0
    low, high = (-test["high"], -test["low"]) if turned else (test["low"], test["high"])
    interval = f"[{wording.value(low)}, {wording.value(high)}]"
    detail = f"{interval}{', ' + sample if sample else ''}, adjusted p {p_text(test['adjusted_p'], '= ')}"
    if decided:
        size = f"{wording.value(abs(test['difference']))}{wording.change_unit}"
        return f"It is {test['verdict']} than {name} by {size} ({detail})."
    difference = f"{wording.change(test['difference'])}{wording.change_unit}"
    if test["verdict"] == ONE_SEED:
        return f"Against {name}: {difference} ({detail})."
    reason = test["verdict"].removeprefix("not distinguishable ").strip("()")
    return f"It is not distinguishable from {name}: {difference} ({detail}); the question {reason}."


def _among(pairs: pd.DataFrame, leader: str) -> str:
    """How the leader does among the fusions."""
    others: dict[str, list[str]] = {"better": [], "worse": [], "same": []}
    for test in pairs[pairs["family"] == BETWEEN_FUSIONS].to_dict("records"):
        if leader not in (test["a"], test["b"]):
            continue
        other, word = (
            (test["b"], test["verdict"]) if test["a"] == leader else (test["a"], _turned(test["verdict"]))
        )
        others[word if word in others else "same"].append(other)
    parts = [f"{word} than {', '.join(others[word])}" for word in ("better", "worse") if others[word]]
    parts += [f"not distinguishable from {', '.join(others['same'])}"] if others["same"] else []
    return f"Among the fusions it is {'; '.join(parts)}."


def _turned(word: str) -> str:
    return {"better": "worse", "worse": "better"}.get(word, word)


def p_text(p: float, equals: str = "") -> str:
    """`< 0.001`, or three decimals, with `equals` before them where a sentence needs it."""
    return "< 0.001" if p < 0.001 else f"{equals}{p:.3f}"
