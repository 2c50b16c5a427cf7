"""Carries out a study: every run that is missing, a few at a time, each in a process that may die alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from mmvideo.config import RunConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.progress import GridProgress, Outcome
from mmvideo.studies.study import Study

_REFRESH_SECONDS = 1.0
_Ended = tuple[float, str | None, str]  # seconds, reason of a failure, its traceback
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Failure:
    """A run that did not finish: its label, the last line of the reason, and the file with all of it."""

    label: str
    reason: str
    file: Path


@dataclass(frozen=True)
class GridReport:
    """What became of a study's runs. `reused` were finished before, `trained` finished now."""

    folder: Path
    reused: int
    trained: int
    failures: tuple[Failure, ...]

    def summary(self) -> str:
        """Counts, and for each failed run its reason and where to read more."""
        lines = [f"{self.trained} runs trained, {self.reused} reused, {len(self.failures)} failed"]
        lines += [f"  failed: {f.label}: {f.reason}\n          see {f.file}" for f in self.failures]
        return "\n".join(lines)


def run_grid(
    study: Study,
    run_one: Callable[[RunConfig], object],
    *,
    root: Path,
    data_fingerprint: str,
    workers: int | None = None,
) -> GridReport:
    """Run what is missing of a study; what fails is recorded and does not stop the rest.

    A run is missing unless its directory, named by configuration and data, holds a result. Each worker is a
    process of its own that serves one run after another, so that libraries are loaded once; one that dies
    (out of memory, crash) costs only the run it was at. On Ctrl-C the workers are ended; run again to go on.

    Args:
        run_one: trains one run and writes its directory under `root`. A function of a module, or a
            `functools.partial` of one, since other processes call it.
        data_fingerprint: names the content of the data, as in `RunConfig.signature`.
        workers: runs at once; None: one on a GPU, else as many as the cores allow.

    Raises:
        InputError: `root` cannot be written to.
    """
    configs = study.runs()
    runs = {config.label: RunDirectory.locate(root, config, data_fingerprint) for config in configs}
    folder = study.write(root, [run.path.name for run in runs.values()])
    missing = [config for config in configs if not runs[config.label].finished]
    failures: list[Failure] = []
    if missing:
        workers = min(workers or default_workers(missing[0]), len(missing))
        with (
            GridProgress(len(configs), len(configs) - len(missing)) as progress,
            closing(_outcomes(missing, runs, run_one, workers, progress)) as outcomes,
        ):
            for outcome in outcomes:
                if outcome.reason is not None:
                    file = outcome.run.write_error(outcome.details or outcome.reason)
                    failures.append(Failure(outcome.config.label, outcome.reason, file))
                progress.end(outcome)
    return GridReport(
        folder=folder,
        reused=len(configs) - len(missing),
        trained=len(missing) - len(failures),
        failures=tuple(failures),
    )


def default_workers(config: RunConfig) -> int:
    """One where runs share a GPU; on a CPU, as many as its cores hold at `runtime.threads` each."""
    if config.runtime.device != "cpu":
        import torch

        if torch.cuda.is_available():
            return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // config.runtime.threads)


def _outcomes(
    missing: list[RunConfig],
    runs: Mapping[str, RunDirectory],
    run_one: Callable[[RunConfig], object],
    workers: int,
    progress: GridProgress,
) -> Generator[Outcome]:
    """Each run's outcome as it ends. Leaving early, by Ctrl-C too, ends the workers."""
    pool = ProcessPool(
        max_workers=workers,
        context=multiprocessing.get_context("spawn"),
        initializer=_limit_threads,
        initargs=[max(config.runtime.threads for config in missing)],
    )
    try:
        pending: dict[Future[_Ended], RunConfig] = {
            pool.schedule(_attempt, args=[run_one, config]): config for config in missing
        }
        began: dict[str, float] = {}
        while pending:
            ended, _ = wait(pending, timeout=_REFRESH_SECONDS, return_when=FIRST_COMPLETED)
            now = time.monotonic()
            for future in ended:
                config = pending.pop(future)
                yield _outcome(future, config, runs[config.label], now - began.get(config.label, now))
            running = [config for future, config in pending.items() if future.running()]
            for config in running:
                began.setdefault(config.label, now)
            progress.update((config, runs[config.label]) for config in running)
    finally:
        pool.stop()
        pool.join()


def _limit_threads(threads: int) -> None:
    # read once by each library when it is loaded, which in a fresh worker is later than this
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)


def _attempt(run_one: Callable[[RunConfig], object], config: RunConfig) -> _Ended:
    """In a worker: seconds, the reason of a failure (None: none), and its traceback."""
    began = time.monotonic()
    try:
        run_one(config)
    except Exception as error:
        told = isinstance(error, InputError | TrainingError)
        reason = str(error) if told else f"{type(error).__name__}: {error}"
        return time.monotonic() - began, reason, traceback.format_exc()
    return time.monotonic() - began, None, ""


def _outcome(future: Future[_Ended], config: RunConfig, run: RunDirectory, watched: float) -> Outcome:
    """What a future says; `watched` is how long its run was seen to be under way, in seconds."""
    try:
        seconds, reason, details = future.result()
    except ProcessExpired as error:
        return Outcome(config, run, watched, f"its process died ({_cause(error.exitcode)})")
    if reason is None and not run.finished:
        reason = f"it ended without a result in {run.path}; was it trained on other data?"
    return Outcome(config, run, seconds, reason, details)


def _cause(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "killed, most often because memory ran out"
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
