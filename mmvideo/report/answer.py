"""A study's result in plain sentences, made from the verdicts and nothing else."""

from __future__ import annotations

import pandas as pd

from mmvideo.report.controls import SCORE_AVERAGE
from mmvideo.report.load import Study
from mmvideo.report.pairs import BETWEEN_FUSIONS


def points(value: float) -> str:
    """A difference between two fractions, in percentage points with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def percent(value: float) -> str:
    """A fraction in percent, without the unit."""
    return f"{100 * value:.1f}".replace("-", "−")


def plain_answer(
    study: Study, table: pd.DataFrame, pairs: pd.DataFrame, leader: str | None, best_unimodal: str | None
) -> str:
    """What the fusion chosen on validation gains, over what, how surely, and what is not claimed.

    Args:
        leader: the fusion arm to speak of.
        best_unimodal: the single-modality arm it is measured against.
    """
    scope = "Nothing is claimed beyond this data set, these encoders and this training budget."
    if leader is None:
        return f"No fusion arm has all its seeds, so there is nothing to conclude about fusion. {scope}"
    row = table[table["arm"] == leader].to_dict("records")[0]
    n_fusions = int((table["kind"] == "fusion").sum())
    picked = f"Of {n_fusions} fusion arms validation picks {leader}: it" if n_fusions > 1 else leader
    interval = f"[{percent(row['low'])}, {percent(row['high'])}]"
    sentences = [f"{picked} is right on {percent(row['accuracy'])} % of the test clips {interval}."]
    if best_unimodal is not None:
        sample = f"n = {len(study.seeds)} seed{'s' * (len(study.seeds) > 1)} × {len(study.clips.ids)} clips"
        sentences.append(
            _claim(pairs, leader, best_unimodal, f"the best single modality ({best_unimodal})", sample)
        )
    if SCORE_AVERAGE in set(table["arm"]):
        sentences.append(_claim(pairs, leader, SCORE_AVERAGE, "averaging the single modalities' scores"))
    if n_fusions > 1:
        sentences.append(_among(pairs, leader))
    if pd.notna(row["shuffled_accuracy"]):
        left = percent(row["shuffled_accuracy"])
        sentences.append(f"With the modalities of different clips shuffled together it keeps {left} %.")
    ceiling = (study.limits or {"additive": {}})["additive"].get("ceiling")
    if ceiling is not None and row["low"] > ceiling:
        sentences.append(
            f"Its interval lies above what any rule that adds up the modalities' votes can reach "
            f"({percent(ceiling)} %)."
        )
    if len(study.seeds) == 1:
        sentences.append(
            "With one seed the intervals allow for other clips only, so no arm is called better or worse."
        )
    return " ".join([*sentences, scope])


def _claim(pairs: pd.DataFrame, a: str, b: str, name: str, sample: str = "") -> str:
    test = pairs[(pairs["a"] == a) & (pairs["b"] == b)].to_dict("records")[0]
    low, high = (test["low"], test["high"]) if test["verdict"] != "worse" else (-test["high"], -test["low"])
    interval = f"[{percent(low)}, {percent(high)}]"
    detail = f"{interval}{', ' + sample if sample else ''}, adjusted p {p_text(test['adjusted_p'], '= ')}"
    if test["verdict"] in ("better", "worse"):
        return f"It is {test['verdict']} than {name} by {percent(abs(test['difference']))} points ({detail})."
    reason = test["verdict"].removeprefix("not distinguishable ").strip("()")
    difference = points(test["difference"])
    return f"It is not distinguishable from {name}: {difference} points ({detail}); the question {reason}."


def _among(pairs: pd.DataFrame, leader: str) -> str:
    """What the leader can be told from among the fusions."""
    told: dict[str, list[str]] = {"better": [], "worse": [], "same": []}
    for test in pairs[pairs["family"] == BETWEEN_FUSIONS].to_dict("records"):
        if leader not in (test["a"], test["b"]):
            continue
        other, word = (
            (test["b"], test["verdict"]) if test["a"] == leader else (test["a"], _turned(test["verdict"]))
        )
        told[word if word in told else "same"].append(other)
    parts = [f"{word} than {', '.join(told[word])}" for word in ("better", "worse") if told[word]]
    parts += [f"not distinguishable from {', '.join(told['same'])}"] if told["same"] else []
    return f"Among the fusions it is {'; '.join(parts)}."


def _turned(word: str) -> str:
    return {"better": "worse", "worse": "better"}.get(word, word)


def p_text(p: float, equals: str = "") -> str:
    """`< 0.001`, or three decimals, with `equals` before them where a sentence needs it."""
    return "< 0.001" if p < 0.001 else f"{equals}{p:.3f}"
