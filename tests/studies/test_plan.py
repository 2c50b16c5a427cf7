"""The plan of a study: what is finished, what is left, and what it takes, from records alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_records import COSTS, made_result

from mmvideo.config import RunConfig, TrainConfig
from mmvideo.files import write_whole
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.language import Axis, cross, study_of
from mmvideo.studies.plan import duration, plan_lines, plan_of
from mmvideo.studies.study import Study

BASE = RunConfig(train=TrainConfig(epochs=4, patience=4))
Finish = Callable[..., None]


def study(*fusions: str, base: RunConfig = BASE, name: str = "demo") -> Study:
    return study_of(base, Axis("fusion", fusions), name=name, title="Demo", seeds=(0, 1), controls=False)


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    """Leaves a finished run of two epochs of 10 s training and 5 s validation each, and 5 steps."""

    def leave(config: RunConfig, memory: float = 300.0, **told: Any) -> None:
        run = RunDirectory.locate(tmp_path, config, "data")
        run.path.mkdir(parents=True)
        lines = [
            f'{{"epoch": {epoch}, "step": {5 * epoch}, "split": "{split}", "loss": 1, "seconds": {seconds}, '
            f'"training_seconds": {10 * epoch}}}\n'
            for epoch in (1, 2) for split, seconds in (("train", 10), ("val", 5))
        ]  # fmt: skip
        write_whole(run.path / "metrics.jsonl", "".join(lines))
        costs = COSTS | {"train_seconds": 20.0, "peak_memory_mb": memory}
        found = made_result(
            run.path, config, data_fingerprint="data", costs=costs, epochs=2, steps=10, **told
        )
        run.write_result(found)

    return leave


def test_what_is_finished_is_known_without_the_data(finish: Finish, tmp_path: Path) -> None:
    two = study("late", "early")
    finish(two.runs()[0])
    changed = study("late", "early", base=BASE.model_copy(update={"width": 8}))
    finish(changed.runs()[1])
    plan = plan_of(two, tmp_path)
    assert [(one.arm.name, one.done) for one in plan.arms] == [("late", (0,)), ("early", ())]
    assert plan.left == 3
    assert [(one.measured.seconds, one.measured.of) for one in plan.arms if one.measured] == [
        (30.0, "of its own"), (30.0, "of other arms"),
    ]  # fmt: skip
    assert plan.seconds == 90.0
    lines = plan_lines(plan, workers=2)
    assert lines[0] == "Demo: 2 arms × 2 seeds (0, 1) = 4 runs, 1 finished"
    assert " ".join(lines[2].split()) == "late late 1 (seeds 0) 30 s 300 MB 1 run of its own"
    assert "left: 3 runs, about 45 s with 2 workers and up to 0.6 GB" in "\n".join(lines)


def test_a_modality_that_runs_have_found_nowhere_is_not_waited_for(finish: Finish, tmp_path: Path) -> None:
    """The study's runs are made without it, so a plan with it would know none of them."""
    two = study("late", "early")
    sighted = study("late", "early", base=BASE.model_copy(update={"modalities": ("visual", "audio")}))
    for run in sighted.runs():
        finish(run, train_presence={"visual+audio": [3, 3], "visual": [1, 0], "none": [0, 1]})
    plan = plan_of(two, tmp_path)
    assert plan.left == 0
    assert {one.arm.config.modalities for one in plan.arms} == {("visual", "audio")}
    assert "No training clip has text" in " ".join(plan.study.notes)


def test_runs_of_another_study_measure_an_epoch(finish: Finish, tmp_path: Path) -> None:
    """They learnt for other epochs at another rate."""
    train = TrainConfig(epochs=2, learning_rate=0.1)
    finish(study("late", base=BASE.model_copy(update={"train": train}), name="other").runs()[0], memory=500)
    [late] = plan_of(study("late"), tmp_path).arms
    assert late.measured is not None
    assert (late.measured.seconds, late.measured.memory_mb) == (60.0, 500.0), "four epochs of 15 s"
    [early] = plan_of(study("early"), tmp_path).arms
    assert early.measured is None
    assert plan_of(study("early"), tmp_path).seconds is None


def test_an_earlier_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    warm = BASE.model_copy(update={"encoders_from": (str(tmp_path / "nothing"),)})
    lines = plan_lines(plan_of(study("late", base=warm), tmp_path), 1)
    assert any(line.startswith("late: encoders_from: ") and "nothing" in line for line in lines)


def test_a_large_study_is_planned_in_no_time_and_lists_arms_not_runs(tmp_path: Path) -> None:
    design = cross(Axis("fusion", ("late", "early")), Axis("width", tuple(range(8, 64, 8))))
    found = study_of(BASE, design, name="large", title="Large", seeds=tuple(range(20)))
    lines = plan_lines(plan_of(replace(found, arms=found.arms), tmp_path), 1)
    assert len([line for line in lines if line.startswith(("late", "early"))]) == 14
    assert lines[1].split()[:3] == ["arm", "fusion", "width"]


def test_durations_are_told_in_two_units() -> None:
    assert [duration(seconds) for seconds in (7.4, 61, 7260)] == ["7 s", "1 min 1 s", "2 h 1 min"]
