"""Carries out a study: every run that is missing, on an engine whose processes may die one by one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.torchrun import refuse_torchrun
from mmvideo.studies.engines.base import Attempt, Ended, Engine
from mmvideo.studies.engines.local import LocalEngine
from mmvideo.studies.progress import GridProgress, Outcome
from mmvideo.studies.study import Study
from mmvideo.vocabulary import counted
from mmvideo.workers import NoAnswer, check_workers


@dataclass(frozen=True)
class Failure:
    """A run that did not finish: its label, the last line of the reason, and the file with all of it."""

    label: str
    reason: str
    file: Path | None
    """None: it could not be written, or the run had finished before; `reason` says so."""


@dataclass(frozen=True)
class GridReport:
    """What became of a study's runs. `trained` finished now; `reused` before, or by another process."""

    folder: Path
    reused: int
    trained: int
    failures: tuple[Failure, ...]

    def summary(self) -> str:
        """Counts, and for each failed run its reason and where to read more."""
        lines = [f"{counted(self.trained, 'run')} trained, {self.reused} reused, {len(self.failures)} failed"]
        for failure in self.failures:
            lines.append(f"  failed: {failure.label}: {failure.reason}")
            if failure.file is not None:
                lines.append(f"          see {failure.file}")
        return "\n".join(lines)


def run_grid(
    study: Study,
    run_one: Callable[[RunConfig], bool],
    *,
    root: Path,
    data_fingerprint: str,
    workers: int | None = None,
    refused: Mapping[str, str] = MappingProxyType({}),
    engine: Engine | None = None,
) -> GridReport:
    """Run what is missing of a study, and write down what it is made of.

    Args:
        run_one: trains one run and writes its directory under `root`; False if another process has done so
            meanwhile. A function of a module, or a `functools.partial` of one, since other processes call it.
        data_fingerprint: names the content of the data, as in `RunConfig.signature`.
        workers: runs at once, at most; None: as many as the engine has room for.
        refused: arms that cannot be run, with the reason; their runs count as failed.
        engine: where they are carried out; None: in processes of this machine.

    Raises:
        InputError: fewer than one worker, an engine that cannot work here, or `root` cannot be written to or
            holds this study on other data.
    """
    check_workers(workers)  # before anything is written
    configs = study.runs()
    runs = [RunDirectory.locate(root, config, data_fingerprint) for config in configs]
    folder = study.write(root, data_fingerprint, [run.path.name for run in runs])
    unable = [Failure(one.label, refused[one.arm], None) for one in configs if one.arm in refused]
    wanted = [(one, run) for one, run in zip(configs, runs, strict=True) if one.arm not in refused]
    trained, failures = carry_out(wanted, run_one, workers, engine)
    failed = (*unable, *failures)
    return GridReport(folder, len(configs) - trained - len(failed), trained, failed)


def carry_out(
    wanted: Sequence[tuple[RunConfig, RunDirectory]],
    run_one: Callable[[RunConfig], bool],
    workers: int | None = None,
    engine: Engine | None = None,
) -> tuple[int, tuple[Failure, ...]]:
    """Run what is missing; what fails is recorded and does not stop the rest. How many runs were trained, and
    what failed.

    A run is missing unless its directory, named by configuration and data, holds a result; one whose files
    were changed since it finished counts as failed and is left as it is. Each run has a process to itself
    while it trains; one that dies (out of memory, crash) costs only the run it was at. A run that another
    process is training is left to it: the others go first, then it is waited for. On Ctrl-C what is under way
    is ended; run again to go on.

    Raises:
        InputError: fewer than one worker, or an engine that cannot work here.
    """
    check_workers(workers)
    refuse_torchrun("a study")
    engine = engine or LocalEngine(LocalEngine.Config())
    missing = [(config, run) for config, run in wanted if not run.finished]
    failures = [
        Failure(config.label, reason, None)
        for config, run in wanted
        if run.finished and (reason := _damage(run))
    ]
    trained = 0
    if missing:
        attempts = {
            config.label: (config, Attempt(config.label, run_one, config.model_dump_json(), run))
            for config, run in missing
        }
        with (
            GridProgress(len(wanted), len(wanted) - len(missing)) as progress,
            closing(_outcomes(attempts, engine, workers, progress)) as outcomes,
        ):
            for outcome in outcomes:
                if outcome.reason is not None:
                    failures.append(_failure(outcome))
                trained += outcome.reason is None and not outcome.elsewhere
                progress.end(outcome)
    return trained, tuple(failures)


def _outcomes(
    attempts: dict[str, tuple[RunConfig, Attempt]],
    engine: Engine,
    workers: int | None,
    progress: GridProgress,
) -> Generator[Outcome]:
    """Each run's outcome as it ends. Leaving early, by Ctrl-C too, ends those under way."""
    configs, runs = zip(*((config, one.run) for config, one in attempts.values()), strict=True)
    began: dict[str, float] = {}
    held: dict[str, float] = {}
    """Runs that another process trains → when they are tried again."""
    with engine.open(configs, runs[0].path.parent, workers) as pool:
        for _, one in attempts.values():
            pool.give(one)
        told = False
        while pool.unfinished or held:
            if held and not pool.unfinished and not told:
                told = True
                print(f"another process trains {', '.join(held)}; waiting for it", file=sys.stderr)
            ended = pool.ended(timeout=engine.refresh_seconds)
            now = time.monotonic()
            for one, answer in ended:
                if isinstance(answer, Ended) and answer.state == "held":
                    held[one.label] = now + engine.retry_seconds
                else:
                    yield _outcome(attempts[one.label][0], one, answer, now - began.get(one.label, now))
            for label in list(held):
                config, one = attempts[label]
                if one.run.finished:
                    del held[label]
                    yield _outcome(config, one, Ended("finished before"), 0.0)
                elif now >= held[label]:
                    del held[label]
                    pool.give(one)
            for one in pool.running:
                began.setdefault(one.label, now)
            progress.update((attempts[one.label][0], one.run) for one in pool.running)


def _outcome(config: RunConfig, one: Attempt, answer: Ended | NoAnswer, watched: float) -> Outcome:
    """What a worker's answer means; `watched` is how long its run was seen to be under way, in seconds."""
    run = one.run
    if isinstance(answer, NoAnswer):
        if not run.finished:
            return Outcome(config, run, watched, answer.reason, answer.details)
        answer = Ended("trained", watched)  # it died once all was written
    if answer.state == "failed":
        return Outcome(config, run, answer.seconds, answer.reason, answer.details)
    reason = None
    if not run.finished:
        reason = (
            f"it ended without a result in {run.path}; was it trained on other data, or on a disk not shared?"
        )
    else:
        reason = _damage(run)
    if reason is not None:
        return Outcome(config, run, answer.seconds, reason)
    return Outcome(config, run, answer.seconds, elsewhere=answer.state == "finished before")


def _damage(run: RunDirectory) -> str | None:
    """What is wrong with a finished run's files; None: they are those it was made with."""
    try:
        run.result()
    except InputError as error:
        return str(error)
    return None


def _failure(outcome: Outcome) -> Failure:
    """The failure, written down with its run; where even that fails, as on a full disk, it says both."""
    reason = outcome.reason or ""
    try:
        file = outcome.run.write_error(outcome.details or reason)
    except (InputError, OSError) as error:
        told = f"{reason} (and {outcome.run.path / 'error.txt'} cannot be written: {error})"
        return Failure(outcome.config.label, told, None)
    return Failure(outcome.config.label, reason, file)
