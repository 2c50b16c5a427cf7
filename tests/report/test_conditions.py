"""A study that varies more than fusion: each fusion is compared with the controls at its own levels."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import rewrite

from mmvideo.files import read_record
from mmvideo.report.charts.roles import key_arms
from mmvideo.report.compare import OWN_REFERENCE, compare
from mmvideo.report.comparisons import (
    AGAINST_AVERAGING,
    AGAINST_BOTH,
    AGAINST_UNIMODAL,
    BETWEEN_FUSIONS,
    SINGLES,
)
from mmvideo.report.conditions import conditions_of
from mmvideo.report.floors import COLUMNS
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.rows import Row, build_rows
from mmvideo.report.sections.calibration import content
from mmvideo.report.tuning import budget_claims
from mmvideo.study_records import StudyRecord
from mmvideo.tuning_record import ArmTuning, TrialRow, TuningRecord

ACCURACY = {
    "late-1": 0.8, "early-1": 0.7, "visual-1": 0.64, "audio-1": 0.5,
    "late-0.1": 0.6, "early-0.1": 0.5, "visual-0.1": 0.3, "audio-0.1": 0.4,
}  # fmt: skip
"""With a tenth of the clips another modality is the best, and fusion stays below what all clips give it."""


@pytest.fixture
def by_share(make_study: Callable[..., Path], fake_arm: type[Any]) -> Path:
    def arm(name: str, accuracy: float) -> Any:
        kind = name.split("-")[0]
        if kind in ("visual", "audio"):
            return fake_arm(accuracy, (kind,), "control", "single")
        return fake_arm(accuracy, ("visual", "audio"), fusion=kind)

    folder = make_study(arms={name: arm(name, value) for name, value in ACCURACY.items()}, n_clips=600)
    set_factors(folder, lambda name, role: levels(name, role))
    return folder


def levels(name: str, role: str) -> dict[str, str]:
    kind, share = name.split("-")
    return {"fusion": kind, "share": share} if role == "fusion" else {"share": share}


def set_factors(folder: Path, of: Callable[[str, str], dict[str, str]]) -> None:
    record = read_record(folder / "study.json", StudyRecord, "")
    arms = tuple(arm.model_copy(update={"factors": of(arm.name, arm.role)}) for arm in record.arms)
    rewrite(folder / "study.json", record.model_copy(update={"arms": arms}))


def test_the_reference_is_the_best_single_modality_at_the_same_level(by_share: Path) -> None:
    comparison = compare(load_study(by_share))
    pairs = comparison.pairs[comparison.pairs["family"] == AGAINST_UNIMODAL]
    assert dict(zip(pairs["a"], pairs["b"], strict=True)) == {
        "late-1": "visual-1", "early-1": "visual-1", "late-0.1": "audio-0.1", "early-0.1": "audio-0.1",
    }  # fmt: skip
    table = comparison.table.set_index("arm")
    of = table["accuracy"]
    assert table.loc["late-0.1", "difference"] == pytest.approx(of["late-0.1"] - of["audio-0.1"])
    assert table.loc["late-0.1", "verdict"] == "better", "though below visual-1"
    assert table.loc["visual-0.1", "reference"] == "audio-0.1"
    assert {name for name in of.index if table.loc[name, "verdict"] == "reference"} == {
        "visual-1",
        "audio-0.1",
    }
    assert comparison.best_unimodal == "visual-1", "the leader's"
    assert comparison.compared_with == OWN_REFERENCE


def test_controls_made_from_predictions_are_made_at_each_level(by_share: Path) -> None:
    study = load_study(by_share)
    rows = {row.name: row for row in build_rows(study)[0]}
    assert {arm.name for arm in rows["score averaging (0.1)"].members} == {"visual-0.1", "audio-0.1"}
    assert {arm.name for arm in rows["score averaging (1)"].members} == {"visual-1", "audio-1"}
    assert "majority class" in rows, "one, since both trained on clips of the same labels"
    pairs = compare(study).pairs
    for family in (AGAINST_AVERAGING, AGAINST_BOTH):
        found = pairs[pairs["family"] == family]
        assert all(f"({a.split('-')[1]})" in b for a, b in zip(found["a"], found["b"], strict=True))
    assert set(pairs.loc[pairs["family"] == SINGLES, "a"]) == {
        n for n in ACCURACY if n[:5] in ("visua", "audio")
    }
    assert (pairs["family"] == BETWEEN_FUSIONS).sum() == 6, "fusions with each other at all levels, as asked"


def test_labels_that_differ_between_levels_give_each_its_own_majority(by_share: Path) -> None:
    study = load_study(by_share)
    for arm in study.arms:
        if arm.name.endswith("-0.1"):
            for run in arm.runs:
                run.result.train_presence.update({"visual+audio": (0, 0, 0, 9)})
    rows = {row.name: row for row in build_rows(study)[0]}
    assert "majority class" not in rows
    assert not np.array_equal(rows["majority class (1)"].outputs, rows["majority class (0.1)"].outputs)
    assert rows["majority class (0.1)"].beside == {"late-0.1", "early-0.1", "visual-0.1", "audio-0.1"}


def test_page_and_answer_name_the_leaders_own(by_share: Path) -> None:
    comparison = compare(load_study(by_share))
    assert "(visual-1)" in comparison.answer.sentence
    assert key_arms(comparison) == ["late-1", "visual-1", "score averaging (1)"]
    page = render(comparison, "")
    assert f"vs {OWN_REFERENCE}" in page
    assert "score averaging (0.1)" in page


def test_the_reference_is_not_held_to_single_modalities_of_other_levels(
    make_study: Callable[..., Path], fake_arm: type[Any]
) -> None:
    """That another level's is better on test is no fault of what validation chose at this one."""
    accuracy = {"late-1": 0.5, "visual-1": 0.7, "late-0.1": 0.9, "visual-0.1": 0.3, "audio-0.1": 0.25}

    def arm(name: str) -> Any:
        kind = name.split("-")[0]
        if kind == "late":
            return fake_arm(accuracy[name], ("visual", "audio"), fusion="late")
        return fake_arm(accuracy[name], (kind,), "control", "single")

    folder = make_study(arms={name: arm(name) for name in accuracy}, n_clips=400)
    set_factors(folder, levels)
    comparison = compare(load_study(folder))
    assert comparison.leader == "late-0.1"
    assert "not as good as" not in dict(comparison.answer.points)["against visual-0.1"]


def test_the_answer_tells_of_the_other_levels_too(by_share: Path) -> None:
    comparison = compare(load_study(by_share))
    points = dict(comparison.answer.points)
    found = [about for about in points if about.startswith("at ")]
    assert found == ["at 0.1, late-0.1"]
    row = comparison.table.set_index("arm").loc["late-0.1"]
    assert points["at 0.1, late-0.1"].endswith(f"against audio-0.1: {row['verdict']}")


def test_an_encoder_below_its_floor_elsewhere_is_told_and_no_objection(
    by_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(arm: str) -> tuple[str, tuple[str, ...]]:
        monkeypatch.setattr(
            sys.modules[compare.__module__], "against_floor", lambda study, rows: floors(rows, below=arm)
        )
        answer = compare(load_study(by_share)).answer
        return answer.sentence, tuple(about for about, _ in answer.points)

    sentence, points = said("audio-0.1")
    assert sentence.startswith("Fusion adds to what single modalities give: late-1")
    assert "audio-0.1 against floor audio" in points
    sentence, points = said("audio-1")
    assert sentence.startswith("Nothing can be concluded about fusion with these encoders")
    assert "audio-1 against floor audio" in points


def floors(rows: list[Row], below: str) -> pd.DataFrame:
    """As where one arm stays below its floor."""
    found = [("underfits", -0.1, -0.2, -0.01) if row.name == below else ("", *[np.nan] * 3) for row in rows]
    return pd.DataFrame(found, columns=list(COLUMNS))


def test_controls_without_levels_stand_beside_every_fusion(by_share: Path) -> None:
    """As studies have them that were written before controls had levels, or that do not vary them."""
    set_factors(by_share, lambda name, role: levels(name, role) if role == "fusion" else {})
    study = load_study(by_share)
    (condition,) = conditions_of(study)
    assert condition.label == ""
    comparison = compare(study)
    assert set(comparison.pairs.loc[comparison.pairs["family"] == AGAINST_UNIMODAL, "b"]) == {"visual-1"}
    assert comparison.compared_with == "visual-1"
    assert "score averaging" in set(comparison.table["arm"])


def test_a_control_stands_beside_all_fusions_that_share_its_levels(by_share: Path) -> None:
    """Encoders of two modalities: a control of one does not care for the other's."""

    def encoders(name: str, role: str) -> dict[str, str]:
        kind, share = name.split("-")
        if role == "fusion":
            return {"visual": share, "audio": {"late": "a", "early": "b"}[kind]}
        return {"visual": share} if kind == "visual" else {"audio": {"1": "a", "0.1": "b"}[share]}

    set_factors(by_share, encoders)
    found = {c.label: {arm.name for arm in c.singles} for c in conditions_of(load_study(by_share))}
    table = compare(load_study(by_share)).table.set_index("arm")
    assert table.loc["score averaging (1, b)", "reference"] == "visual-1"
    assert table.loc["score averaging (0.1, b)", "reference"] == "audio-0.1", (
        "though visual-1 has audio-1 too"
    )
    assert found == {
        "1, a": {"visual-1", "audio-1"},
        "1, b": {"visual-1", "audio-0.1"},
        "0.1, a": {"visual-0.1", "audio-1"},
        "0.1, b": {"visual-0.1", "audio-0.1"},
    }


def unfinished(folder: Path, *arms: str) -> Path:
    """The study without the runs of some of its arms."""
    for arm in arms:
        for run in folder.glob(f"{arm}-s*"):
            shutil.rmtree(run)
    return folder


def test_fusions_whose_controls_are_not_finished_are_compared_with_none(by_share: Path) -> None:
    """Those of another level are no stand-in."""
    comparison = compare(load_study(unfinished(by_share, "visual-0.1", "audio-0.1")))
    table = comparison.table.set_index("arm")
    assert table.loc[["late-0.1", "early-0.1"], ["reference", "difference"]].isna().all(axis=None)
    assert table.loc["late-1", "reference"] == "visual-1"
    told = "What fusion gains at 0.1 is not measured: no single-modality arm there is finished."
    assert told in comparison.notes


def test_a_leader_without_its_controls_says_so_and_the_others_keep_theirs(by_share: Path) -> None:
    comparison = compare(load_study(unfinished(by_share, "visual-1", "audio-1")))
    assert comparison.leader == "late-1"
    assert comparison.best_unimodal is None
    assert "what fusion adds to a single modality was not measured" in comparison.answer.sentence
    assert not any("has no single-modality arm" in note for note in comparison.notes)
    assert comparison.compared_with == OWN_REFERENCE
    table = comparison.table.set_index("arm")["reference"]
    assert table["late-0.1"] == "audio-0.1"
    assert table[["late-1", "majority class"]].isna().all()
    assert f"vs {OWN_REFERENCE}" in render(comparison, "")


def test_fusions_finished_at_one_level_are_compared_at_that_level(by_share: Path) -> None:
    study = load_study(unfinished(by_share, "late-1", "early-1"))
    assert {(c.label, *sorted(c.arms)) for c in conditions_of(study)} == {
        ("0.1", "audio-0.1", "early-0.1", "late-0.1", "visual-0.1"),
        ("1", "audio-1", "visual-1"),
    }
    for arm in study.arms:  # so that each level has a control of its own that looks at nothing
        if arm.name.endswith("-0.1"):
            for run in arm.runs:
                run.result.train_presence.update({"visual+audio": (0, 0, 0, 9)})
    comparison = compare(study)
    assert comparison.best_unimodal == "audio-0.1"
    singles = comparison.pairs[comparison.pairs["family"] == SINGLES]
    assert dict(zip(singles["a"], singles["b"], strict=True)) == {
        name: f"majority class ({name.split('-')[1]})" for name in ACCURACY if name[:5] in ("visua", "audio")
    }


def test_controls_of_a_level_are_against_a_single_modality_of_that_level(by_share: Path) -> None:
    """Also where one modality's control stands under several conditions."""

    def encoders(name: str, role: str) -> dict[str, str]:
        kind, share = name.split("-")
        if role == "fusion":
            return {"fusion": kind, "encoder": share}
        return {"encoder": share} if kind == "visual" else {}

    folder = unfinished(by_share, "audio-0.1")
    set_factors(folder, encoders)
    study = load_study(folder)
    table = compare(study).table.set_index("arm")["reference"]
    assert table["score averaging (1)"] == "visual-1"
    assert table["score averaging (0.1)"] == table["late-0.1"] == "audio-1"


def test_an_answer_says_which_modalities_its_leader_is_not_held_to(by_share: Path) -> None:
    """The best single modality at its levels may be one of those."""
    told = "single modalities: no arm of visual alone is finished that this could be held to"
    assert told not in compare(load_study(by_share)).answer.lines
    assert told in compare(load_study(unfinished(by_share, "visual-1"))).answer.lines


def test_what_every_budget_shows_is_of_the_leaders_levels(by_share: Path) -> None:
    """audio-0.1 is ahead of the fusion that leads, of whose levels it is not."""
    score = {"late-1": 0.8, "visual-1": 0.7, "audio-0.1": 0.9}
    arms = tuple(
        ArmTuning(arm=a, trials=(TrialRow(setting={}, score=s, loss=1.0),), chosen=0)
        for a, s in score.items()
    )
    tuning = TuningRecord(trials=1, seeds=(7,), space={}, arms=arms)
    assert budget_claims(replace(load_study(by_share), tuning=tuning)) == [
        "at every number of trials the best fusion is late-1",
        "at every number of trials the best fusion is ahead of the best single modality",
    ]


def test_single_modalities_among_the_studys_own_arms_stand_at_their_levels(by_share: Path) -> None:
    """As an axis `modalities` makes them that has single ones; that of fusing makes no difference."""
    record = read_record(by_share / "study.json", StudyRecord, "")
    arms = tuple(
        arm.model_copy(
            update={
                "role": "fusion",
                "factors": {"share": arm.name.split("-")[1], "modalities": kind, "fusion": "late"},
            }
        )
        for arm in record.arms
        for kind in [arm.name.split("-")[0] if arm.role == "control" else "visual+audio"]
    )
    rewrite(by_share / "study.json", record.model_copy(update={"arms": arms}))
    study = load_study(by_share)
    assert [c.label for c in conditions_of(study)] == ["1", "0.1"]
    table = compare(study).table.set_index("arm")["reference"]
    assert (table["late-1"], table["late-0.1"]) == ("visual-1", "audio-0.1")


def test_probabilities_are_compared_at_the_same_levels_too(by_share: Path) -> None:
    comparison = compare(load_study(by_share))
    found = content(comparison)
    assert found is not None
    rows = {row["arm"]: row for row in found.values["rows"]}
    difference = rows["late-0.1"]["nll"] - rows["audio-0.1"]["nll"]
    assert rows["late-0.1"]["nll_difference"] == pytest.approx(difference)
    assert np.isnan(rows["audio-0.1"]["nll_difference"])
    assert found.values["reference"] == OWN_REFERENCE


def test_a_control_of_no_level_is_none_of_fusions_that_have_one(by_share: Path) -> None:
    """As where arms of a hand-written study vary in what others have no level of."""

    def some(name: str, role: str) -> dict[str, str]:
        kind, share = name.split("-")
        at = {"encoder": "small"} if share == "0.1" else {}
        return {"fusion": kind, **at} if role == "fusion" else at

    set_factors(by_share, some)
    found = {c.label: {arm.name for arm in c.singles} for c in conditions_of(load_study(by_share))}
    assert found == {"encoder=''": {"visual-1", "audio-1"}, "encoder='small'": {"visual-0.1", "audio-0.1"}}


def test_conditions_whose_levels_read_alike_have_names_of_their_own(by_share: Path) -> None:
    """Else one's controls would stand for the other's."""

    def alike(name: str, role: str) -> dict[str, str]:
        kind, share = name.split("-")
        at = {"a": "x, y", "b": "z"} if share == "1" else {"a": "x", "b": "y, z"}
        return {"fusion": kind, **at} if role == "fusion" else at

    set_factors(by_share, alike)
    rows, _ = build_rows(load_study(by_share))
    assert len({row.name for row in rows}) == len(rows)


def test_records_without_levels_of_controls_are_told(by_share: Path) -> None:
    told = "study.json does not say at which levels its controls are"
    assert not any(told in note for note in build_rows(load_study(by_share))[1])
    set_factors(by_share, lambda name, role: levels(name, role) if role == "fusion" else {})
    assert any(told in note for note in build_rows(load_study(by_share))[1])
