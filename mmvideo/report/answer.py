"""A study's result in one sentence, and what qualifies it; made from the verdicts and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.floor_record import floor_name
from mmvideo.evaluation.statistics import ONE_SEED
from mmvideo.report.claims import Test, conclusion, leaders_tests
from mmvideo.report.comparisons import (
    AGAINST_UNIMODAL,
    BETWEEN_FUSIONS,
)
from mmvideo.report.conditions import Condition, best, conditions_of
from mmvideo.report.controls import MISSINGNESS
from mmvideo.report.epochs import epoch_notes
from mmvideo.report.floors import LINEAR, FloorTest
from mmvideo.report.runs import StudyRuns
from mmvideo.report.tuning import budget
from mmvideo.report.words import joined, p_text, rank_text
from mmvideo.vocabulary import first_of

Point = tuple[str, str]
"""Of what, and what is to be known of it."""
SCOPE: Point = ("holds for", "this data set, these encoders, this training budget")


@dataclass(frozen=True)
class Answer:
    """What a study says of fusion."""

    sentence: str
    """Whether fusion gains and by how much, or what explains its gain."""
    points: tuple[Point, ...]
    """What qualifies it."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The points, each as one text."""
        return tuple(f"{about}: {text}" for about, text in self.points)


def plain_answer(
    study: StudyRuns, table: pd.DataFrame, pairs: pd.DataFrame, leader: str | None, floor: FloorTest | None
) -> Answer:
    """What the fusion chosen on validation gains, over what, how surely, and what is not claimed.

    Args:
        leader: the fusion arm to speak of.
        floor: its comparison with the best floor of its modalities.
    """
    if leader is None:
        nothing = "No fusion arm has all its seeds, so there is nothing to conclude about fusion."
        return Answer(nothing, (SCOPE,))
    tests, wording = leaders_tests(pairs, leader), study.task.display
    as_good, up = _singles_as_good(study, table, leader), study.task.higher_is_better
    claim, test = conclusion(tests, leader, higher_is_better=up, as_good=as_good)
    claim = f"{claim}; {_change(test, wording)} against {test['b']}"
    points = [_measured(study, table, leader)]
    points += [_against(study, table, test, family) for family, test in tests.items()]
    points += _elsewhere(study, pairs, leader)
    points += _alone(study, leader)
    points += _design(study, test)
    points += _floors(study, table, leader, floor)
    points += _circumstances(study, table, pairs, leader)
    points += [("tuned", budget(study))] if study.tuning else []
    beside = {arm.name for arm in _beside(study, leader).singles}
    behind = [name for name in _below_their_floor(table)["arm"] if name in beside]
    behind += [leader] if floor and floor.above else []
    if behind:
        points.insert(0, ("but for the floor", claim))
        one = "A single seed gives no verdict; on these clips"
        many = "Nothing can be concluded about fusion with these encoders:"
        claim = f"{one if len(study.seeds) == 1 else many} {LINEAR} is ahead of {joined(behind)}"
    return Answer(f"{claim}.", (*points, SCOPE))


def _measured(study: StudyRuns, table: pd.DataFrame, leader: str) -> Point:
    wording, row = study.task.display, _row(table, leader)
    interval = f"[{wording.value(row['low'])}, {wording.value(row['high'])}]"
    score = f"{wording.claim.format(wording.value(row[study.task.score]))} {interval}"
    fusions = int((table["kind"] == "fusion").sum())
    picked = f"; validation picks it of {fusions} fusions" if fusions > 1 else ""
    return leader, f"{score}, n = {study.sample}{picked}"


def _against(study: StudyRuns, table: pd.DataFrame, test: Test, family: str) -> Point:
    """A verdict and by how much; what is decided is stated as a size, what is not with its sign."""
    wording, decided = study.task.display, test["verdict"] in ("better", "worse")
    of_single = family == AGAINST_UNIMODAL
    about = f"against {test['b']}"
    p = f"adjusted p {p_text(test['adjusted_p'], '= ')}"
    if decided:
        turned = test["difference"] < 0
        low, high = (-test["high"], -test["low"]) if turned else (test["low"], test["high"])
        size = f"{wording.value(abs(test['difference']))}{wording.change_unit}"
        text = f"{test['verdict']} by {size} [{wording.value(low)}, {wording.value(high)}], {p}"
    else:
        word = "" if test["verdict"] == ONE_SEED else f": {test['verdict']}"
        text = f"{_change(test, wording)}, {p}{word}"
    if of_single:
        text += f"; the best single modality on validation{_above_reference(study, table, test)}"
    return about, text


def _beside(study: StudyRuns, leader: str) -> Condition:
    """The leader's conditions."""
    return next(c for c in conditions_of(study) if leader in {arm.name for arm in c.fusions})


def _elsewhere(study: StudyRuns, pairs: pd.DataFrame, leader: str) -> Iterator[Point]:
    """Of each other condition the fusion that validation picks there, against the best single modality."""
    of_family = pairs[pairs["family"] == AGAINST_UNIMODAL].to_dict("records")
    tests = {test["a"]: test for test in of_family}
    for condition in conditions_of(study):
        picked = best(condition.fusions)
        if picked is None or picked.name not in tests:
            continue
        if leader not in {arm.name for arm in condition.fusions}:
            test = tests[picked.name]
            said = f"{_change(test, study.task.display)} against {test['b']}: {test['verdict']}"
            yield f"at {condition.label}, {test['a']}", said


def _alone(study: StudyRuns, leader: str) -> Iterator[Point]:
    """Which of the leader's modalities no arm under its conditions has alone: the best may be one of them."""
    beside = _beside(study, leader)
    own = next(arm.modalities for arm in beside.fusions if arm.name == leader)
    alone = {arm.modalities[0] for arm in beside.singles}
    lacking = [modality for modality in own if modality not in alone]
    if alone and lacking:
        yield "single modalities", f"no arm of {joined(lacking)} alone is finished that this could be held to"


def _design(study: StudyRuns, test: Test) -> Iterator[Point]:
    """What the comparison that decides could have found, and what would narrow it more."""
    wording = study.task.display

    def size(key: str) -> str:
        return wording.value(test[key])

    if math.isnan(test["half_width_twice_seeds"]):  # of one seed, or without any spread
        return
    first = test["next"].removeprefix("more ")
    least = f"a difference of {size('detectable')}{wording.change_unit}"
    found = "no difference, however large," if math.isnan(test["detectable"]) else least
    text = f"finds {found} to {test['b']} with power 0.8"
    seeds, clips = size("half_width_twice_seeds"), size("half_width_twice_clips")
    later = f"{seeds} with twice the seeds, {clips} on twice the clips: {first} first"
    yield "this design", f"{text}; half its interval, {size('half_width')}, would be {later}"


def _change(test: Test, wording: MetricDisplay) -> str:
    """`+1.2 points [−0.3, 2.7]`."""
    interval = f"[{wording.value(test['low'])}, {wording.value(test['high'])}]"
    return f"{wording.change(test['difference'])}{wording.change_unit} {interval}"


def _above_reference(study: StudyRuns, table: pd.DataFrame, test: Test) -> str:
    """Where validation's choice among single modalities lies below another under the leader's conditions, or
    presence, on test."""
    wording, task = study.task.display, study.task
    beside = _beside(study, test["a"])
    held = {arm.name for arm in beside.singles} | {MISSINGNESS, beside.name(MISSINGNESS)}
    rows = table[table["arm"].isin(held)]
    scores = dict(zip(rows["arm"], rows[task.score], strict=True))
    own = scores.pop(test["b"])
    sign = 1 if task.higher_is_better else -1
    above = sorted(
        (name for name in scores if sign * (scores[name] - own) > 0), key=lambda name: -sign * scores[name]
    )
    if not above:
        return ""
    shown = ", ".join(f"{name} ({wording.value(scores[name])}{wording.unit})" for name in above)
    return f", but with {wording.value(own)}{wording.unit} on test not as good as {shown}"


def _singles_as_good(study: StudyRuns, table: pd.DataFrame, leader: str) -> list[str]:
    """Single modalities whose test score is that of the leader, or a better one."""
    score, sign = study.task.score, 1 if study.task.higher_is_better else -1
    singles = table[table["kind"] == "single modality"]
    return list(singles.loc[sign * singles[score] >= sign * _row(table, leader)[score], "arm"])


def _floors(study: StudyRuns, table: pd.DataFrame, leader: str, floor: FloorTest | None) -> Iterator[Point]:
    """The leader against the best floor of its modalities, and single modalities that stay below theirs."""
    wording = study.task.display
    if floor:
        yield f"against {floor.name}", f"{_change(vars(floor), wording)}: {LINEAR}"
    for row in _below_their_floor(table).to_dict("records"):
        test = {name: row[f"floor_{name}"] for name in ("difference", "low", "high")}
        about = f"{row['arm']} against {floor_name([row['modalities']])}"
        yield about, f"{_change(test, wording)}: {row['arm']} {row['floor']}"


def _below_their_floor(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["kind"] == "single modality") & (table["floor"] != "")]


def _circumstances(
    study: StudyRuns, table: pd.DataFrame, pairs: pd.DataFrame, leader: str
) -> Iterator[Point]:
    """What else is to be known of the leader's score."""
    wording, row = study.task.display, _row(table, leader)
    permuted = row[f"permuted_{study.task.score}"]
    if pd.notna(permuted):
        yield "with permuted modalities", wording.left.format(wording.value(permuted))
    others = _among(pairs, leader)
    if others and len(study.seeds) > 1:
        ranks = rank_text(row["rank_best"], row["rank_worst"])
        yield "among the fusions", f"rank {ranks} of {int((table['kind'] == 'fusion').sum())}; {others}"
    ceiling = (study.limits or {"additive": {}})["additive"].get("ceiling")
    if ceiling is not None and row["low"] > ceiling:
        yield (
            "additive bound",
            f"its interval lies above {wording.value(ceiling)} %, the most that adding up votes can reach",
        )
    references = pairs.loc[(pairs["family"] == AGAINST_UNIMODAL) & (pairs["a"] == leader), "b"]
    compared = [arm for arm in study.arms if arm.name == leader or arm.name in set(references)]
    for note in epoch_notes(compared):
        yield "epochs", note.rstrip(".")
    if len(study.seeds) == 1:
        yield "seeds", "one: intervals allow for other clips only, and no arm is called better or worse"
    if study.clips.n_groups == 1:
        yield (
            "groups",
            "all test clips are of one: intervals and verdicts are over its clips, and do not say what "
            "another would give",
        )


def _among(pairs: pd.DataFrame, leader: str) -> str:
    """How the leader does among the fusions; empty where it is the only one."""
    others: dict[str, list[str]] = {}
    for test in pairs[pairs["family"] == BETWEEN_FUSIONS].to_dict("records"):
        word = test["verdict"].partition(" (")[0]
        if leader == test["a"]:
            others.setdefault(word, []).append(test["b"])
        elif leader == test["b"]:
            others.setdefault({"better": "worse", "worse": "better"}.get(word, word), []).append(test["a"])
    links = {"better": "than", "worse": "than", "undecided": "against"}
    words = sorted(others, key=lambda word: (*links, word).index(word))
    return "; ".join(f"{word} {links.get(word, 'with')} {first_of(others[word])}" for word in words)


def _row(table: pd.DataFrame, arm: str) -> dict[Any, Any]:
    return dict(table[table["arm"] == arm].iloc[0])
