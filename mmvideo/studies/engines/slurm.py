"""A SLURM cluster through submitit: arrays of jobs, requeued when their time ends or they are preempted.

Submitit's own reading of a job's end is not believed: it takes every preemption of a job of less than ten
minutes for a time-out, and knows no progress. What decides is on disk: a run's result, and whether its
training state has moved since the job began.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types as at
from pydantic import Field

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.files import read_json, update_json, write_json
from mmvideo.schema import Positive, PositiveFloat
from mmvideo.studies.engines.base import Attempt, Ended, Engine, Workers
from mmvideo.studies.engines.parcel import Parcel, carry_out, pack, run_of
from mmvideo.workers import NoAnswer, of_threads

FOLDER, JOBS = "slurm", "jobs.json"
"""In the study's folder of runs: scripts and logs of its jobs, and which run is which job's."""
CANCELLED, LOST = "CANCELLED", ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED")
"""States of a job that somebody took out of the queue, and of one that its node did not end."""
ARRAY = 1000
"""Jobs of an array; SLURM's own limit (MaxArraySize) is 1001 unless a cluster has set another one."""
TIME_OUTS = 10**6
"""What submitit may count as time-outs before it gives up: it is not to be the one that does."""
SHOWN = 20
"""Lines of a job's log that are kept as the details of a failure."""


class SlurmEngine(Engine):
    """Arrays of jobs, which go on from the last finished epoch when they are requeued."""

    refresh_seconds = 5.0
    retry_seconds = 60.0
    ask_seconds = 60.0
    """Between two questions to the cluster for its jobs' states, of which each answers for all."""

    class Config(Engine.Config):
        """What a run asks of the cluster."""

        partition: str | None = None
        """Of the cluster; this, account, QOS and memory are its own where they are not given."""
        account: str | None = None
        """That the time is charged to."""
        qos: str | None = None
        """Quality of service."""
        constraint: str | None = None
        """Of nodes, such as `a100`."""
        minutes: Positive = 240
        """Time limit of a job. A run that needs more is requeued, and goes on from its last finished
        epoch."""
        gpus: Annotated[int, at.Ge(0)] = 0
        """Of each run."""
        cpus: Positive | None = None
        """Of each run; None: `runtime.threads` and `runtime.loader_workers`."""
        memory_gb: PositiveFloat | None = None
        """Of each run."""
        setup: tuple[str, ...] = ()
        """Lines of shell before a run, such as `module load cuda`."""
        sbatch: dict[str, str] = Field(default_factory=dict)
        """Further parameters of sbatch, such as `exclude node7`."""
        signal_seconds: Positive = 90
        """How long before its limit a job is told to requeue itself."""
        stalls: Positive = 3
        """A run fails when so many jobs in a row have ended without finishing one more epoch."""
        cluster: Literal["slurm", "local", "debug"] = "slurm"
        """`local` and `debug`: submitit without SLURM, in processes of this machine or in this one, to try
        things out."""

    options: Config

    def check(self) -> None:
        _library()
        if self.options.cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
            raise InputError(
                "--engine slurm submits jobs with sbatch and srun, which are not on this machine's PATH; "
                "start it on a login node of the cluster."
            )

    def at_once(self, config: RunConfig, workers: int | None) -> int | None:
        return workers

    @contextmanager
    def open(self, configs: Sequence[RunConfig], folder: Path, workers: int | None) -> Iterator[Workers]:
        self.check()
        threads = max(config.runtime.threads for config in configs)
        cpus = self.options.cpus or threads + max(config.runtime.loader_workers for config in configs)
        jobs = folder / FOLDER
        executor = self.executor(jobs, threads, cpus, workers)
        opened = SlurmWorkers(executor, jobs, threads, self.options.stalls, self.ask_seconds)
        try:
            yield opened
        finally:
            opened.end()

    def executor(self, folder: Path, threads: int, cpus: int, workers: int | None) -> Any:
        """Submitit's, with all that a job asks for."""
        options = self.options
        told = {"slurm_max_num_timeout": TIME_OUTS, "local_max_num_timeout": TIME_OUTS}
        executor = _library().AutoExecutor(folder, cluster=options.cluster, **told)
        exports = [f"export {name}={value}" for name, value in of_threads(threads).items()]
        executor.update_parameters(
            name=f"mmvideo-{folder.parent.name}",
            timeout_min=options.minutes,
            cpus_per_task=cpus,
            gpus_per_node=options.gpus or None,
            mem_gb=options.memory_gb,
            nodes=1,
            tasks_per_node=1,
            slurm_partition=options.partition,
            slurm_account=options.account,
            slurm_qos=options.qos,
            slurm_constraint=options.constraint,
            slurm_setup=[*exports, *options.setup],
            slurm_signal_delay_s=options.signal_seconds,
            slurm_array_parallelism=workers or ARRAY,
            slurm_additional_parameters={"requeue": True, **options.sbatch},  # after a node's death too
        )
        return executor


@dataclass
class Job:
    """What submitit calls in a job, and asks what to requeue."""

    parcel: Parcel
    answer: str
    """The file for what came of it; submitit's own results are pickles, and are not read."""
    limit: int
    """Jobs in a row without a finished epoch after which the run fails."""
    stalled: int = 0
    """How many there were."""
    saved: int = 0
    """The training state that this one began with."""

    def __call__(self) -> None:
        began, self.saved = time.monotonic(), run_of(self.parcel).saved
        ended = carry_out(self.parcel)
        if self.stalled >= self.limit:
            reason = (
                f"{self.limit} jobs in a row ended at their limit or were preempted without finishing an "
                "epoch; give them more time (--engine.minutes)"
            )
            ended = Ended("failed", time.monotonic() - began, reason, ended.details)
        write_json(Path(self.answer), asdict(ended))

    def checkpoint(self) -> Any:
        """Called before the job ends: what is to be put back into the queue; None: nothing."""
        moved = run_of(self.parcel).saved != self.saved  # clocks differ between machines
        self.stalled = 0 if moved else self.stalled + 1
        if self.stalled >= self.limit:
            return None
        return _library().helpers.DelayedSubmission(replace(self))


class SlurmWorkers:
    """Attempts as jobs; `Workers`. Those given since the last look are submitted together, as an array.

    A run whose job of before is still in the queue, since only this process was ended, is left to that job.

    Args:
        executor: submitit's.
        folder: of scripts, logs and answers.
        threads: of a run.
        stalls: see `SlurmEngine.Config`.
        ask: seconds between two questions for the states of all jobs.
    """

    def __init__(self, executor: Any, folder: Path, threads: int, stalls: int, ask: float) -> None:
        self._executor, self._folder, self._stalls = executor, folder, stalls
        self._environment = of_threads(threads)
        self._ask, self._asked = ask, time.monotonic()
        self._waiting: list[Attempt] = []
        self._jobs: dict[str, tuple[Attempt, Any]] = {}
        """By the run's name."""
        self._lost: dict[str, tuple[int, int]] = {}
        """By the run's name, the training state when its job was given, and how many were lost since."""

    def give(self, job: Attempt) -> None:
        self._waiting.append(job)

    @property
    def running(self) -> list[Attempt]:
        return [one for one, _ in self._jobs.values() if one.run.path.is_dir()]

    @property
    def unfinished(self) -> int:
        return len(self._waiting) + len(self._jobs)

    def ended(self, timeout: float) -> list[tuple[Attempt, Ended | NoAnswer]]:
        self._submit()
        if self._jobs and self._executor.cluster == "slurm" and time.monotonic() >= self._asked + self._ask:
            next(iter(self._jobs.values()))[1].watcher.update()
            self._asked = time.monotonic()
        over = [name for name, (_, job) in self._jobs.items() if job.done()]
        if not over:
            time.sleep(timeout)
        told = [(name, *self._jobs.pop(name)) for name in over]
        answers = [(name, one, self._answer(one, job), str(job.state)) for name, one, job in told]
        return [
            (one, answer) for name, one, answer, state in answers if not self._again(name, one, answer, state)
        ]

    def _again(self, name: str, one: Attempt, answer: Ended | NoAnswer, state: str) -> bool:
        """Submit the run anew whose job was lost with its node, or was killed and had finished an epoch; its
        lock sees to it that nothing is trained twice, should the cluster have put the job back too."""
        if isinstance(answer, Ended) or state.upper().startswith(CANCELLED) or one.run.finished:
            return False
        saved, lost = self._lost.get(name, (0, 0))
        if one.run.saved != saved:
            lost = 0
        elif not state.upper().startswith(LOST) or lost + 1 >= self._stalls:
            return False
        self._lost[name] = one.run.saved, lost + 1
        self._waiting.append(one)
        return True

    def _submit(self) -> None:
        before = read_json(self._folder / JOBS) if self._waiting else {}
        new = list[Attempt]()
        for one in self._waiting:
            job = self._queued(before.get(one.run.path.name))
            if job is None:
                new.append(one)
            else:
                self._jobs[one.run.path.name] = one, job
        self._waiting.clear()
        for start in range(0, len(new), ARRAY):
            part = new[start : start + ARRAY]
            for one in part:
                self._file(one).unlink(missing_ok=True)
                self._lost.setdefault(one.run.path.name, (one.run.saved, 0))
            calls = [
                Job(pack(one, self._environment), str(self._file(one).resolve()), self._stalls)
                for one in part
            ]
            jobs = self._executor.submit_array(calls)
            named = {one.run.path.name: job for one, job in zip(part, jobs, strict=True)}
            self._jobs |= {one.run.path.name: (one, named[one.run.path.name]) for one in part}
            ids = {name: job.job_id for name, job in named.items()}
            update_json(self._folder / JOBS, lambda record, ids=ids: {**record, **ids})  # type: ignore[misc]

    def _queued(self, number: str | None) -> Any | None:
        """The job of this number, if the cluster has it and it has not ended."""
        if number is None or self._executor.cluster != "slurm":
            return None
        job = _library().SlurmJob(self._folder.absolute(), number)
        known = job.watcher.get_state(number, mode="force") != "UNKNOWN"
        return job if known and not job.done() else None

    def _answer(self, one: Attempt, job: Any) -> Ended | NoAnswer:
        told = read_json(self._file(one))
        if told:
            return Ended(**told)
        log = Path(job.paths.stderr)
        last = (
            log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN:] if log.is_file() else []
        )
        reason = f"its job {job.job_id} ended without a result (state {job.state}); see {log}"
        return NoAnswer(reason, killed=True, details="\n".join([reason, *last]))

    def _file(self, one: Attempt) -> Path:
        return self._folder / f"{one.run.path.name}.json"

    def end(self) -> None:
        """Take out of the queue what has not ended."""
        for _, job in self._jobs.values():
            job.cancel(check=False)


def _library() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "--engine slurm needs submitit, which is not installed: pip install 'mmvideo[slurm]'"
        ) from error
    return submitit
