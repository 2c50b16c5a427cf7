"""What a grid shows while it works: live bars on a terminal; everywhere, one plain line per ended run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from mmvideo.config import RunConfig
from mmvideo.evaluation.tasks import TASKS
from mmvideo.runs.directory import RunDirectory


@dataclass(frozen=True)
class Outcome:
    """How one attempt at a run ended, after `seconds`; a failure has a reason and details."""

    config: RunConfig
    run: RunDirectory
    seconds: float
    reason: str | None = None
    """One line; None: the run finished."""
    details: str = ""
    """The traceback, where there is one."""
    elsewhere: bool = False
    """Whether another process trained it meanwhile."""

    def line(self) -> str:
        """`mixed/hierarchical-s0  val 0.842  41 s`"""
        if self.reason is not None:
            return f"{self.config.label}  FAILED after {self.seconds:.0f} s: {self.reason}"
        score = TASKS[self.config.data.task].score
        name = "" if score == "accuracy" else f"{score} "
        value = f"  val {name}{self.run.result().val.get(score, math.nan):.3f}"
        how = "trained by another process" if self.elsewhere else f"{self.seconds:.0f} s"
        return f"{self.config.label}{value}  {how}"


class GridProgress:
    """A context that shows a grid of `total` runs, of which `reused` were finished before."""

    def __init__(self, total: int, reused: int, console: Console | None = None) -> None:
        self._total, self._reused = total, reused
        self._ended = 0
        self._began = time.monotonic()
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._whole = self._progress.add_task("runs", total=total - reused, state="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def end(self, outcome: Outcome) -> None:
        """One run has ended: a line that stays."""
        self._ended += 1
        width = len(str(self._total))
        count = f"[{self._reused + self._ended:>{width}}/{self._total}]"
        self._progress.console.print(escape(f"{count} {outcome.line()}"))

    def update(self, running: Iterable[tuple[RunConfig, RunDirectory]]) -> None:
        """Show how far the runs under way are, from their metrics.jsonl, and about how long all will take."""
        if self._progress.disable:
            return
        shares: dict[str, float] = {}
        for config, run in running:
            lines = run.metrics()
            epoch = lines[-1].epoch if lines else 0
            epochs = config.train.most_epochs(lines[-1].step / epoch) if lines else config.train.epochs
            shares[config.label] = epoch / epochs
            if config.label not in self._bars:
                self._bars[config.label] = self._progress.add_task(config.label, total=1.0, state="")
            state = f"epoch {epoch} of {epochs}"
            self._progress.update(self._bars[config.label], completed=shares[config.label], state=state)
        for label in self._bars.keys() - shares.keys():
            self._progress.remove_task(self._bars.pop(label))
        done = self._ended + sum(shares.values())
        state = f"{self._reused + self._ended} of {self._total}{self._time_left(done)}"
        self._progress.update(self._whole, completed=done, state=state)

    def _time_left(self, done: float) -> str:
        if not done:
            return ""
        seconds = (time.monotonic() - self._began) * (self._total - self._reused - done) / done
        return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"
