"""SLURM through submitit: the script, arrays, time-out and requeue, and jobs that are lost or of before."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from slurm_stand_in import end, install

from mmvideo.components import EngineChoice
from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.records import STATE
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.engines.base import Attempt, Ended
from mmvideo.studies.engines.parcel import pack
from mmvideo.studies.engines.slurm import FOLDER, JOBS, Job, SlurmEngine, SlurmWorkers
from mmvideo.studies.grid import run_grid
from mmvideo.workers import NoAnswer

HERE = Path(__file__).parent
CLUSTERS = pytest.mark.skipif("MMVIDEO_CLUSTERS" not in os.environ, reason="MMVIDEO_CLUSTERS=1 asks for it")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("refresh_seconds", "retry_seconds"):
        monkeypatch.setattr(SlurmEngine, name, 0.1)
    return importlib.import_module("toy")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state of a stand-in for a cluster."""
    submitit = pytest.importorskip("submitit")
    state = tmp_path / "cluster"
    state.mkdir()
    monkeypatch.setenv("SLURM_STAND_IN", str(state))
    monkeypatch.setenv("PATH", f"{install(tmp_path / 'bin')}:{os.environ['PATH']}")
    submitit.SlurmJob.watcher.clear()
    yield state
    end(state)


def engine(**options: Any) -> SlurmEngine:
    made = EngineChoice.of("slurm", **options).build()
    assert isinstance(made, SlurmEngine)
    return made


def starts(root: Path) -> dict[str, int]:
    marks = root.glob("toy/*/starts")
    return {mark.parent.name.rpartition("-")[0]: mark.read_text().count("start") for mark in marks}


def test_a_study_as_an_array_whose_jobs_are_requeued(toy: ModuleType, cluster: Path, tmp_path: Path) -> None:
    """A job of 5 minutes whose time submitit thinks is always over."""
    study, root = toy.toy_study("preempted", "good", seeds=(0,)), tmp_path / "runs"
    options = {"partition": "gpu", "minutes": 5, "gpus": 1, "memory_gb": 16.0, "setup": ("true",)}
    chosen = engine(**options, sbatch={"exclude": "node7"})
    report = run_grid(
        study, partial(toy.train, root=root), root=root, data_fingerprint=toy.DATA, engine=chosen, workers=3
    )
    assert (report.trained, report.failures) == (2, ())
    assert starts(root) == {"preempted-s0": 2, "good-s0": 1}
    again = [line for line in (cluster / "calls").read_text().splitlines() if line.startswith("scontrol")]
    assert again == ["scontrol requeue 7_0"]

    [script] = (root / "toy" / FOLDER).glob("*_submission.sh")
    lines = script.read_text().splitlines()
    for flag in ("array=0-1%2", "partition=gpu", "time=5", "mem=16GB", "gpus-per-node=1", "cpus-per-task=1",
                 "signal=USR2@90", "exclude=node7", "job-name=mmvideo-toy"):  # fmt: skip
        assert f"#SBATCH --{flag}" in lines
    assert "#SBATCH --requeue" in lines, "for a node that dies"
    assert lines.index("export OMP_NUM_THREADS=1") < lines.index("true")
    assert any(line.startswith("srun --unbuffered") and "submitit.core._submit" in line for line in lines)


def test_a_run_that_gets_nowhere_is_not_requeued_for_ever(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal, and what submitit does with the job's word."""
    pytest.importorskip("submitit")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    [config] = toy.toy_study("stuck", seeds=(0,)).runs()
    run = RunDirectory.create(tmp_path, config, toy.DATA)
    one = Attempt(config.label, partial(toy.train, root=tmp_path), config.model_dump_json(), run)
    requeued = [Job(pack(one, {}), str(tmp_path / "answer.json"), limit=2)]

    def signalled(*_: object) -> None:
        again = requeued[-1].checkpoint()
        if again is None:
            raise RuntimeError("Job not requeued because: checkpoint function returned None.")
        requeued.append(again.function)
        raise SystemExit

    before = signal.signal(signal.SIGUSR2, signalled)
    try:
        with pytest.raises(SystemExit):
            requeued[-1]()
        assert not (tmp_path / "answer.json").exists()
        requeued[-1]()
    finally:
        signal.signal(signal.SIGUSR2, before)
    answer = read_json(tmp_path / "answer.json")
    assert (len(requeued), answer["state"]) == (2, "failed")
    assert answer["reason"].startswith("2 jobs in a row ended at their limit")

    job = requeued[0]
    job.stalled = 1
    (run.path / STATE).write_text("an epoch")
    assert job.checkpoint().function.stalled == 0, "there was progress"


@pytest.mark.parametrize("kind", [pytest.param("local", marks=CLUSTERS), "debug"])
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # logs that submitit leaves open
def test_submitit_without_slurm(
    kind: str, toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    study = toy.toy_study("preempted" if kind == "local" else "good", "broken", seeds=(0,))
    where: dict[str, Any] = {"root": Path("runs"), "data_fingerprint": toy.DATA}
    report = run_grid(study, partial(toy.train, root=Path("runs")), engine=engine(cluster=kind), **where)
    assert report.trained == 1
    assert [failure.reason for failure in report.failures] == ["ZeroDivisionError: loss is 1/0"]
    assert sorted(starts(tmp_path / "runs").values()) == [1, 2 if kind == "local" else 1]


class Executor:
    """Submitit's, whose jobs have ended as they are told to before they are looked at."""

    cluster = "slurm"

    def __init__(self, states: Sequence[str], before: Callable[[int], None] = lambda number: None) -> None:
        self.states, self.before, self.submitted = states, before, list[list[str]]()

    def submit_array(self, calls: Sequence[Any]) -> list[SimpleNamespace]:
        number = len(self.submitted)
        self.submitted.append([call.parcel.label for call in calls])
        self.before(number)
        paths = SimpleNamespace(stderr="nothing.err")
        given = {"paths": paths, "state": self.states[number], "done": lambda: True}
        return [SimpleNamespace(job_id=f"{number}_{index}", **given) for index in range(len(calls))]


def attempt_of(toy: ModuleType, root: Path) -> Attempt:
    [config] = toy.toy_study("good", seeds=(0,)).runs()
    run = RunDirectory.create(root, config, toy.DATA)
    return Attempt(config.label, partial(toy.train, root=root), config.model_dump_json(), run)


def answers(executor: Executor, one: Attempt) -> list[Ended | NoAnswer]:
    workers = SlurmWorkers(executor, one.run.path.parent / FOLDER, threads=1, stalls=3, ask=60.0)
    workers.give(one)
    found: list[Ended | NoAnswer] = []
    while workers.unfinished:
        found += [answer for _, answer in workers.ended(0.0)]
    return found


@pytest.mark.parametrize(
    ("states", "epochs", "jobs"),
    [
        (["NODE_FAIL", "NODE_FAIL", "TIMEOUT"], 0, 3),
        (["NODE_FAIL"] * 3, 0, 3),
        (["TIMEOUT", "OUT_OF_MEMORY", "OUT_OF_MEMORY"], 2, 3),
        (["OUT_OF_MEMORY"], 0, 1),
        (["CANCELLED by 7"], 2, 1),
    ],
    ids=["the last as it was", "too often", "with progress", "no progress", "by the user"],
)
def test_a_job_that_is_lost_is_submitted_anew_while_there_is_progress(
    states: list[str], epochs: int, jobs: int, toy: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("submitit")
    one = attempt_of(toy, tmp_path)

    def before(number: int) -> None:
        if number < epochs:
            (one.run.path / STATE).write_bytes(b"")
            os.utime(one.run.path / STATE, ns=(number + 1, number + 1))

    executor = Executor(states, before)
    [answer] = answers(executor, one)
    assert isinstance(answer, NoAnswer)
    assert f"job {jobs - 1}_0 ended without a result (state {states[jobs - 1]})" in answer.reason
    assert executor.submitted == [[one.label]] * jobs


def test_a_job_of_before_that_is_still_in_the_queue_is_waited_for(
    toy: ModuleType, cluster: Path, tmp_path: Path
) -> None:
    one = attempt_of(toy, tmp_path / "runs")
    folder = one.run.path.parent / FOLDER
    write_json(folder / JOBS, {one.run.path.name: "7_0"})
    (cluster / "7_0").write_text("RUNNING")
    executor = Executor([])
    workers = SlurmWorkers(executor, folder, threads=1, stalls=3, ask=60.0)
    workers.give(one)
    assert workers.ended(0.0) == []
    assert workers.running == [one]
    write_json(folder / f"{one.run.path.name}.json", {"state": "trained", "seconds": 3.0})
    (folder / "7_0_0_result.pkl").write_text("no pickle: it is there, and is not read")
    assert workers.ended(0.0) == [(one, Ended("trained", 3.0))]
    assert executor.submitted == []

    workers.give(one)
    with pytest.raises(IndexError):  # the job has ended: a new one is submitted
        workers.ended(0.0)


def test_leaving_early_takes_jobs_out_of_the_queue(toy: ModuleType, cluster: Path, tmp_path: Path) -> None:
    one = attempt_of(toy, tmp_path)
    [config] = toy.toy_study("good", seeds=(0,)).runs()
    with engine().open([config], one.run.path.parent, None) as workers:
        workers.give(one)
        workers.ended(0.0)
        end(cluster)
    assert (cluster / "calls").read_text().splitlines()[-1] == "scancel 7"


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="sbatch and srun, which are not on this machine's PATH"):
        engine().check()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match=r"pip install 'mmvideo\[slurm\]'"):
        engine().check()
