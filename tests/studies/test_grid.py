"""The grid runs what is missing, survives the death of its workers, and goes on after its own."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from made_records import metric_line
from rich.console import Console

from mmvideo.config import RunConfig, RuntimeConfig
from mmvideo.errors import InputError
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.engines.local import LocalEngine, default_workers
from mmvideo.studies.grid import run_grid
from mmvideo.studies.progress import GridProgress, Outcome
from mmvideo.workers import Pool

HERE = Path(__file__).parent


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))  # worker processes get this path too
    return importlib.import_module("toy")


def starts(root: Path) -> Counter[str]:
    """How often each run was begun, by `<arm>-s<seed>`."""
    marks = root.glob("toy/*/starts")
    return Counter({mark.parent.name.rpartition("-")[0]: mark.read_text().count("start") for mark in marks})


def finished(root: Path) -> set[str]:
    return {path.parent.name.rpartition("-")[0] for path in root.glob("toy/*/result.json")}


def test_troubles_cost_only_their_own_run(
    toy: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = toy.toy_study("good", "wrong", "diverging", "broken", "killed", "forgetful", seeds=(0,))
    run_one = partial(toy.train, root=tmp_path)
    report = run_grid(study, run_one, root=tmp_path, data_fingerprint=toy.DATA, workers=2)

    assert (report.reused, report.trained) == (0, 1)
    assert finished(tmp_path) == {"good-s0"}
    reasons = {failure.label: failure.reason for failure in report.failures}
    assert reasons["toy/wrong-s0"] == "data.manifest: no such file"
    assert reasons["toy/diverging-s0"] == "The loss is nan at step 3 (epoch 1)"
    assert reasons["toy/broken-s0"] == "ZeroDivisionError: loss is 1/0"
    assert "memory ran out" in reasons["toy/killed-s0"]
    assert "without a result" in reasons["toy/forgetful-s0"]
    for failure in report.failures:
        assert failure.file.name == "error.txt"
        assert str(failure.file) in report.summary()
    broken = next(f.file for f in report.failures if f.label == "toy/broken-s0")
    assert "toy.py" in broken.read_text(), "the traceback names the line"
    shown = capsys.readouterr().out
    assert "toy/good-s0  val 0.500" in shown
    assert "[6/6]" in shown

    again = run_grid(study, run_one, root=tmp_path, data_fingerprint=toy.DATA, workers=1)
    assert again.reused == 1
    assert starts(tmp_path)["good-s0"] == 1
    assert starts(tmp_path)["broken-s0"] == 2


def test_a_finished_run_whose_files_changed_counts_as_failed(toy: ModuleType, tmp_path: Path) -> None:
    study, run_one = toy.toy_study("good", "other", seeds=(0,)), partial(toy.train, root=tmp_path)
    run_grid(study, run_one, root=tmp_path, data_fingerprint=toy.DATA, workers=1)
    [config] = tmp_path.glob("toy/good-s0-*/config.json")
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    report = run_grid(study, run_one, root=tmp_path, data_fingerprint=toy.DATA, workers=1)
    [failure] = report.failures
    assert str(config) in failure.reason
    assert report.summary().startswith("0 runs trained, 1 reused, 1 failed")
    assert starts(tmp_path) == {"good-s0": 1, "other-s0": 1}


def test_killed_grid_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "toy.py"), str(tmp_path)]
    running = subprocess.Popen([*command, "1.0"], start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # two are done, and another has begun
        if len(done := finished(tmp_path)) >= 2 and set(starts(tmp_path)) - done:
            break
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = finished(tmp_path)
    interrupted = set(starts(tmp_path)) - before
    assert 2 <= len(before) < 6
    assert interrupted

    subprocess.run([*command, "0"], check=True, stdout=subprocess.DEVNULL)
    assert len(finished(tmp_path)) == 6
    counts = starts(tmp_path)
    assert {name for name, count in counts.items() if count == 1} >= before
    assert {name for name, count in counts.items() if count == 2} == interrupted


def test_two_grids_at_once_train_nothing_twice(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "toy.py"), str(tmp_path), "0.5"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [one.communicate(timeout=100)[0].splitlines()[-1] for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert set(starts(tmp_path).values()) == {1}
    assert len(finished(tmp_path)) == 6
    trained = [int(line.split()[0]) for line in told]
    assert sum(trained) == 6, told
    assert [line.split(", ")[1] for line in told] == [f"{6 - count} reused" for count in trained]


def test_a_run_whose_other_process_dies_is_taken_over(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(LocalEngine, "retry_seconds", 0.5)
    study = toy.toy_study("good", seeds=(0,))
    run = RunDirectory.create(tmp_path, study.runs()[0], toy.DATA)
    code = "import sys, time; from pathlib import Path; from mmvideo.runs.directory import RunDirectory\n"
    code += "with RunDirectory(Path(sys.argv[1])).lock():\n    print('held', flush=True); time.sleep(100)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    attempts: list[object] = []
    give = Pool.give

    def after_the_first_attempt_it_is_gone(pool: Pool[Any, Any], job: object) -> None:
        attempts.append(job)
        if len(attempts) == 2:
            holder.kill()
            holder.communicate()
        give(pool, job)

    monkeypatch.setattr(Pool, "give", after_the_first_attempt_it_is_gone)
    report = run_grid(study, partial(toy.train, root=tmp_path), root=tmp_path, data_fingerprint=toy.DATA)
    assert len(attempts) == 2
    assert (report.trained, report.reused) == (1, 0)
    assert "another process trains toy/good-s0" in capsys.readouterr().err


def test_a_run_that_cannot_write_its_error_does_not_stop_the_grid(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunDirectory, "write_error", full)
    study = toy.toy_study("broken", "good", seeds=(0,))
    report = run_grid(
        study, partial(toy.train, root=tmp_path), root=tmp_path, data_fingerprint=toy.DATA, workers=1
    )
    assert report.trained == 1
    (failure,) = report.failures
    assert failure.file is None
    assert "ZeroDivisionError: loss is 1/0 (and" in failure.reason
    assert "error.txt cannot be written: [Errno 28] No space left" in failure.reason


def test_a_finished_study_starts_no_process(toy: ModuleType, tmp_path: Path) -> None:
    study = toy.toy_study("good", seeds=(0,))
    toy.train(study.runs()[0], root=tmp_path)

    def never(config: RunConfig) -> None:  # cannot be sent to a process, either
        raise AssertionError

    report = run_grid(study, never, root=tmp_path, data_fingerprint=toy.DATA)
    assert (report.reused, report.trained, report.failures) == (1, 0, ())


def test_other_data_is_another_run(toy: ModuleType, tmp_path: Path) -> None:
    study = toy.toy_study("good", seeds=(0,))
    toy.train(study.runs()[0], root=tmp_path)
    run_one = partial(toy.train, root=tmp_path)
    report = run_grid(study, run_one, root=tmp_path, data_fingerprint="other")
    assert "trained on other data" in report.failures[0].reason


def test_an_unwritable_root_is_refused_before_anything_runs(toy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match="Cannot write"):
        run_grid(toy.toy_study("good"), toy.train, root=tmp_path / "runs", data_fingerprint=toy.DATA)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert default_workers(RunConfig(runtime=RuntimeConfig(device="cpu", threads=3))) == 2
    assert default_workers(RunConfig(runtime=RuntimeConfig(device="cpu", threads=99))) == 1


def test_a_terminal_shows_epochs_and_time_left(toy: ModuleType, tmp_path: Path) -> None:
    console = Console(force_terminal=True, width=100, record=True, color_system=None)
    config = toy.toy_study("good").runs()[0]
    run = RunDirectory.create(tmp_path, config, toy.DATA)
    run.log_metrics(metric_line(3))
    with GridProgress(3, 1, console) as progress:
        progress.update([(config, run)])
        progress.end(Outcome(config, run, 2.0, "[bold]out of memory"))
    shown = console.export_text()
    assert "epoch 3 of 4" in shown
    assert "left" in shown
    assert "[2/3] toy/good-s0  FAILED after 2 s: [bold]out of memory" in shown
