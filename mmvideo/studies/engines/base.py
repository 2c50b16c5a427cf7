"""What an engine is: it carries out attempts at runs, and says what came of each.

What decides is on disk: a run's lock lets one process train it, and its result makes it finished. So an
engine may try a run twice, on two machines, and no number changes.
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mmvideo.config import RunConfig, load_config
from mmvideo.errors import InputError, TrainingError
from mmvideo.files import Busy
from mmvideo.runs.directory import RunDirectory
from mmvideo.schema import Part
from mmvideo.workers import NoAnswer


@dataclass(frozen=True)
class Attempt:
    """What a worker is given: all of it can be sent, a configuration that names a class of the user's too."""

    label: str
    run_one: Callable[[RunConfig], bool]
    config: str
    """As JSON."""
    run: RunDirectory


@dataclass(frozen=True)
class Ended:
    """What a worker says of an attempt."""

    state: Literal["trained", "finished before", "held", "failed"]
    """`held`: another process is training the run."""
    seconds: float = 0.0
    reason: str = ""
    details: str = ""


def attempt(given: Attempt) -> Ended:
    """In a worker: train the run, unless another process has it or has finished it."""
    began = time.monotonic()
    if given.run.finished:
        return Ended("finished before")
    try:
        trained = given.run_one(load_config(given.config, given.label))
    except Busy:
        return Ended("held")
    except Exception as error:
        told = isinstance(error, InputError | TrainingError)
        reason = str(error) if told else f"{type(error).__name__}: {error}"
        return Ended("failed", time.monotonic() - began, reason, traceback.format_exc())
    return Ended("trained" if trained else "finished before", time.monotonic() - began)


class Workers(Protocol):
    """What an engine opens: as `mmvideo.workers.Pool`, wherever the work is done."""

    def give(self, job: Attempt) -> None:
        """Put an attempt at the end of the queue."""

    @property
    def running(self) -> Sequence[Attempt]:
        """The attempts that are under way, as far as can be told."""

    @property
    def unfinished(self) -> int:
        """How many attempts have not ended."""

    def ended(self, timeout: float) -> Sequence[tuple[Attempt, Ended | NoAnswer]]:
        """Wait until attempts have ended, or for so many seconds; those that have, with what came of them."""


class Engine(ABC):
    """Where a study's runs are carried out."""

    refresh_seconds = 1.0
    """Between two looks at what has ended."""
    retry_seconds = 5.0
    """Until a run that another process holds is tried again: that process may have died."""

    class Config(Part):
        """An engine's options. None of them changes a number."""

    def __init__(self, options: Config) -> None:
        self.options = options

    def check(self) -> None:  # noqa: B027  # most need nothing
        """
        Raises:
            InputError: it cannot work here, as where its library is not installed.
        """

    @abstractmethod
    def at_once(self, config: RunConfig, workers: int | None) -> int | None:
        """How many runs like this one go on at once, where they are to be at most `workers`; None: a cluster
        decides. Nothing is started."""

    @abstractmethod
    def open(
        self, configs: Sequence[RunConfig], folder: Path, workers: int | None
    ) -> AbstractContextManager[Workers]:
        """A context in which attempts are carried out; leaving it ends those that are under way.

        Args:
            configs: of all runs that will be given.
            folder: of their directories.
            workers: at most so many runs at once; None: as many as there is room for.

        Raises:
            InputError: as `check` does.
        """
