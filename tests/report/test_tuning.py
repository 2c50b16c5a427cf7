"""Tuning in a report: budget and choice stand in table, answer and page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from made_records import rewrite
from rich.console import Console

from mmvideo.files import read_record
from mmvideo.report.charts.tuning import points
from mmvideo.report.compare import compare
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.tuning import budget_claims, by_budget
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


def test_a_claim_that_holds_at_one_budget_alone_is_told(make_study: Callable[..., Path]) -> None:
    """`late` is best as it is, `hierarchical` after two trials; a single modality until the fourth."""
    folder = make_study()
    record = read_record(folder / "study.json", StudyRecord, "")
    scores = {
        "late": (0.6, 0.6, 0.6, 0.6),
        "hierarchical": (0.5, 0.62, 0.4, 0.9),
        "text": (0.7, 0.1, 0.7, 0.8),
    }
    arms = tuple(
        ArmTuning(
            arm=arm,
            trials=tuple(
                TrialRow(setting={"width": 8 + n}, score=score, loss=1.0) for n, score in enumerate(row)
            ),
            chosen=0,
        )
        for arm, row in scores.items()
    )
    tuning = TuningRecord(trials=4, seeds=(7,), space={"width": "8 to 16"}, sampler="tpe", arms=arms)
    rewrite(folder / "study.json", record.model_copy(update={"tuning": tuning}))
    comparison = compare(load_study(folder))
    study = comparison.study
    assert by_budget(study)["hierarchical"] == (0.5, 0.62, 0.9), "with 1, 2 and 4 trials"
    drawn = [(at["trials"], at["score"]) for at in points(comparison) if at["arm"] == "hierarchical"]
    assert drawn == [(1, 50), (2, 62), (4, 90)]
    claims = budget_claims(study)
    assert claims == [
        "which fusion leads depends on the number of trials: late with 1; hierarchical with 2 and 4",
        "the best fusion is ahead of the best single modality with 4, not with 1 and 2",
    ]
    page = render(comparison, "")
    assert claims[0] in page
    assert '<script type="application/json" id="best_so_far-chart">' in page
    tied = [arms[0].model_copy(update={"arm": arm}) for arm in ("late", "hierarchical")]
    both = replace(study, tuning=tuning.model_copy(update={"arms": (*tied, arms[2])}))
    assert budget_claims(both) == [
        "at every number of trials the best fusion is hierarchical and late",
        "at no number of trials the best fusion is ahead of the best single modality",
    ]


def test_a_study_that_was_not_tuned_says_nothing_of_it(make_study: Callable[..., Path]) -> None:
    comparison = compare(load_study(make_study()))
    assert "trials an arm" not in " ".join(comparison.answer.lines)
    assert "<h2>Tuning</h2>" not in render(comparison, "")
