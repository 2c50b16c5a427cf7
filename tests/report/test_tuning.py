"""Tuning in a report: budget and choice stand in table, answer and page."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from made_records import rewrite
from rich.console import Console

from mmvideo.files import read_record
from mmvideo.report.compare import compare
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.study_records import ComparisonRecord, StudyRecord
from mmvideo.tuning_record import ArmTuning, TrialRow, TuningRecord

TRIALS = (
    TrialRow(setting={}, score=0.61, loss=1.0),
    TrialRow(setting={"train.learning_rate": 3e-4, "width": 256}, score=0.72, loss=0.8),
    TrialRow(setting={"train.learning_rate": 1.0, "width": 8}, reason="The loss is <nan> at step 3"),
)


@pytest.fixture
def tuned(make_study: Callable[..., Path]) -> Path:
    folder = make_study()
    record = read_record(folder / "study.json", StudyRecord, "")
    arms = tuple(ArmTuning(arm=arm.name, trials=TRIALS, chosen=1) for arm in record.arms)
    space = {"train.learning_rate": "0.0001 to 1, log", "width": "8 or 256"}
    tuning = TuningRecord(trials=3, seeds=(7,), space=space, arms=arms)
    rewrite(folder / "study.json", record.model_copy(update={"tuning": tuning}))
    return folder


def test_table_answer_and_page_say_budget_and_choice(tuned: Path) -> None:
    comparison = compare(load_study(tuned))
    rows = comparison.table.set_index("arm")
    for arm in ("late", "visual"):
        assert rows.loc[arm, ["trials", "trial", "trial_score"]].tolist() == [3, 1, 0.72]
        assert rows.loc[arm, "chosen"] == "learning_rate 0.0003, width 256"
    assert rows.loc["majority class", "chosen"] == ""
    budget = "3 trials an arm, the same for all, over learning rate and width;"
    told = " ".join(comparison.answer.lines)
    assert budget in told
    assert "; 6 trials failed" in told
    page = render(comparison, "")
    assert budget in page
    assert "<b>72.0</b>" in page
    assert "The loss is &lt;nan&gt; at step 3" in page
    record = comparison.record().text()
    assert ComparisonRecord.model_validate_json(record).tuning == comparison.study.tuning
    shown = StringIO()
    print_comparison(comparison, Console(file=shown, width=120))
    assert "learning_rate 0.0003, width 256" in shown.getvalue()


def test_a_study_that_was_not_tuned_says_nothing_of_it(make_study: Callable[..., Path]) -> None:
    comparison = compare(load_study(make_study()))
    assert "trials an arm" not in " ".join(comparison.answer.lines)
    assert "<h2>Tuning</h2>" not in render(comparison, "")
