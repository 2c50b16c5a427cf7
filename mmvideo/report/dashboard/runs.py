"""How far a run is, from its directory alone, whoever trains it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.config import TrainConfig
from mmvideo.files import lock_file
from mmvideo.records import CONFIG, ERROR, HELD, METRICS, RESULT, MetricLine
from mmvideo.regular import RECORD, content, opened
from mmvideo.report.dashboard.glances import Cache, RunGlance
from mmvideo.schema import read_part

State = Literal["finished", "damaged", "training", "failed", "stopped", "unclear", "waiting"]
LOCKS = Path("/proc/locks")
QUIET = 120.0
"""Seconds without a word after which a run that nobody is seen to hold counts as stopped."""
TAIL = 8192
"""Bytes at a file's end in which its last line is looked for."""
SHOWN = 400
"""Characters of a reason that are shown."""


@dataclass(frozen=True)
class RunState:
    """A run now."""

    arm: str
    seed: int
    folder: Path
    state: State
    """`stopped`: begun, and nobody is at it; `unclear`: written lately, by no process that this machine sees:
    one elsewhere, or one that has just ended."""
    epoch: int = 0
    epochs: int | None = None
    reason: str = ""
    glance: RunGlance | None = None

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1; of one that is not being trained, nothing is counted on."""
        if self.state in ("finished", "damaged"):
            return 1.0
        return self.epoch / self.epochs if self.epochs and self.state in ("training", "unclear") else 0.0


def held_files() -> frozenset[int] | None:
    """Inodes of the files that processes of this machine hold a lock on; None: the system does not tell.

    The locks are looked up, not tried: a lock that is tried keeps the run out that wants it.
    """
    try:
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    fields = [field for line in lines for field in line.split() if field.count(":") == 2]
    return frozenset(int(field.rpartition(":")[2]) for field in fields)


def run_state(
    folder: Path, arm: str, seed: int, results: Cache[RunGlance], held: frozenset[int] | None
) -> RunState:
    """The state of a run's directory, which may not be there yet."""
    found = results.get(folder, RESULT)
    if isinstance(found, str):
        return RunState(arm, seed, folder, "damaged", reason=found)
    if found is not None:
        return RunState(arm, seed, folder, "finished", glance=found)
    error, last = _age(folder / ERROR), min(_age(folder / METRICS), _age(folder / CONFIG))
    if min(error, last) == float("inf"):
        return RunState(arm, seed, folder, "waiting")
    epoch, epochs = _epochs(folder)
    state: State
    if held is not None and _inode(lock_file(folder / HELD)) in held:
        state = "training"
    elif error <= last:
        return RunState(arm, seed, folder, "failed", epoch, epochs, _reason(folder / ERROR))
    else:
        state = "unclear" if last < QUIET else "stopped"
    return RunState(arm, seed, folder, state, epoch, epochs)


def _age(file: Path) -> float:
    """Seconds since it was written; infinite where it is not there."""
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return float("inf")


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except OSError:
        return None


def _epochs(folder: Path) -> tuple[int, int | None]:
    """The last epoch it has logged, and how many there will be at most; None where it is not known."""
    try:
        train = read_part(TrainConfig, json.dumps(json.loads(content(folder / CONFIG, RECORD))["train"]))
    except (OSError, ValueError, KeyError, TypeError):  # half written, or another version's
        return 0, None
    try:
        with opened(folder / METRICS) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().split(b"\n")[:-1]
        line = MetricLine.model_validate_json(lines[-1])
    except (OSError, ValueError, IndexError):
        return 0, train.epochs
    return line.epoch, train.most_epochs(line.step / line.epoch) if line.step else train.epochs


def _reason(file: Path) -> str:
    """The last line of why an attempt failed."""
    try:
        text = content(file, RECORD).decode(errors="replace")
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}."
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:SHOWN] if lines else "no reason was written down"
