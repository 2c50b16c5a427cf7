"""A study's result in plain sentences, made from the verdicts and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.statistics import ONE_SEED
from mmvideo.report.comparisons import (
    AGAINST_AVERAGING,
    AGAINST_BOTH,
    AGAINST_NO_INPUT,
    AGAINST_PRESENCE,
    AGAINST_UNIMODAL,
    BETWEEN_FUSIONS,
    FAMILIES,
)
from mmvideo.report.controls import MISSINGNESS
from mmvideo.report.runs import StudyRuns

Tests = Mapping[str, Mapping[Any, Any]]
"""The leader's paired comparison of each family that has controls."""


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
    tests = leaders_tests(pairs, leader)
    sentences = [
        conclusion(tests, leader, higher_is_better=study.task.higher_is_better),
        f"{picked} {wording.claim.format(wording.value(row[score]))} {interval} (n = {study.sample}).",
    ]
    for family, test in tests.items():
        claim = _claim(test, wording, f"the best single modality ({best_unimodal})", family)
        beyond = _above_reference(study, table, test["b"]) if family == AGAINST_UNIMODAL else ""
        sentences.append(f"{claim}{beyond}.")
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
    return " ".join([*sentences, scope])


def leaders_tests(pairs: pd.DataFrame, leader: str) -> Tests:
    """The leader's comparisons with controls by family, in the families' order."""
    found = {test["family"]: test for test in pairs[pairs["a"] == leader].to_dict("records")}
    return {family: found[family] for family in FAMILIES if family in found and family != BETWEEN_FUSIONS}


def conclusion(tests: Tests, leader: str, *, higher_is_better: bool = True) -> str:
    """The first sentence: whether fusion gains, and what explains its gain if something simpler does."""
    beaten = {family: test["verdict"] == "better" for family, test in tests.items()}
    floors = [family for family in (AGAINST_PRESENCE, AGAINST_NO_INPUT) if family in tests]
    floor = tests[next((family for family in floors if not beaten[family]), floors[0])]
    presence = "presence alone (the missingness baseline)"
    floor_name = presence if floor["b"] == MISSINGNESS else f"the {floor['b']}"
    if floor["verdict"] == ONE_SEED:
        ahead = (floor["difference"] > 0) == higher_is_better and floor["difference"] != 0
        below = "" if ahead else f" On these clips {leader} does not beat {floor_name}."
        return (
            "A single seed gives no verdict: its intervals allow for other clips only, so no arm is called "
            f"better or worse.{below}"
        )
    if not beaten[floor["family"]]:
        return f"Fusion adds nothing that could be shown: {leader} was not shown to beat {floor_name}."
    if AGAINST_UNIMODAL not in tests:
        return f"{leader} beats {floor_name}; what fusion adds to a single modality was not measured."
    best = tests[AGAINST_UNIMODAL]["b"]
    single = f"the best single modality ({best})"
    if not beaten[AGAINST_UNIMODAL]:
        return f"Fusion adds nothing that could be shown: {leader} was not shown to beat {single}."
    if not beaten.get(AGAINST_BOTH, True):
        return (
            f"Fusion adds nothing that could be shown beyond presence: {leader} beats {single}, but not "
            f"{best} with what the missingness baseline knows."
        )
    if not beaten.get(AGAINST_AVERAGING, True):
        return (
            f"Joint training adds nothing that could be shown: {leader} beats {single} and {floor_name}, but "
            "not score averaging of the unimodal models."
        )
    averaging = ", and score averaging of the unimodal models" if AGAINST_AVERAGING in tests else ""
    return f"Fusion adds to what single modalities give: {leader} beats {single}, {floor_name}{averaging}."


def _claim(test: Mapping[Any, Any], wording: MetricDisplay, single: str, family: str) -> str:
    """A verdict and by how much; what is decided is stated as a size, what is not with its sign."""
    name = {AGAINST_UNIMODAL: single, AGAINST_BOTH: f"{single} with missingness"}.get(
        family, f"the {test['b']}"
    )
    name = test["b"] if family == AGAINST_AVERAGING else name
    decided = test["verdict"] in ("better", "worse")
    turned = decided and test["difference"] < 0
    low, high = (-test["high"], -test["low"]) if turned else (test["low"], test["high"])
    p = p_text(test["adjusted_p"], "= ")
    detail = f"[{wording.value(low)}, {wording.value(high)}], adjusted p {p}"
    if decided:
        size = f"{wording.value(abs(test['difference']))}{wording.change_unit}"
        return f"It is {test['verdict']} than {name} by {size} ({detail})"
    difference = f"{wording.change(test['difference'])}{wording.change_unit}"
    if test["verdict"] == ONE_SEED:
        return f"Against {name}: {difference} ({detail})"
    reason = test["verdict"].removeprefix("not distinguishable ").strip("()")
    return f"It is not distinguishable from {name}: {difference} ({detail}); the question {reason}"


def _above_reference(study: StudyRuns, table: pd.DataFrame, reference: str) -> str:
    """Where validation's choice among single modalities lies below another of them, or presence, on test."""
    wording, task = study.task.display, study.task
    rows = table[(table["kind"] == "single modality") | (table["arm"] == MISSINGNESS)]
    scores = dict(zip(rows["arm"], rows[task.score], strict=True))
    own = scores.pop(reference)
    sign = 1 if task.higher_is_better else -1
    above = sorted(
        (name for name in scores if sign * (scores[name] - own) > 0), key=lambda name: -sign * scores[name]
    )
    if not above:
        return ""
    shown = ", ".join(f"{name} ({wording.value(scores[name])}{wording.unit})" for name in above)
    return (
        f"; but {reference}, chosen on validation, has {wording.value(own)}{wording.unit} on test, which is "
        f"not as good as {shown}"
    )


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
