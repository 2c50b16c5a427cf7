"""What is measured of a finished run without training it again, kept beside the run's result.

Each record is bound to the result of its run, and refused beside another one. Clips are those of the run's
predictions_test.jsonl, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from jaxtyping import Float
from numpy import ndarray

from mmvideo.files import Damaged, read_record
from mmvideo.records import RunResult, Sealed
from mmvideo.vocabulary import TaskKind

CONTRIBUTION, ROBUSTNESS = "contribution.json", "robustness"


class Afterwards(Sealed):
    """What is measured of a finished run."""

    run: str
    """The name of its folder."""
    result: str
    """The seal of its result."""
    task: TaskKind
    seconds: float
    """What measuring took."""


class ContributionRecord(Afterwards):
    """contribution.json: scores of every clip with modalities removed (see mmvideo.training.stand_ins)."""

    method: int
    modalities: tuple[str, ...]
    draws: int
    """How often other clips stood in for a removed modality."""
    scores: dict[str, dict[str, tuple[float, ...]]]
    """Stand-in → presence pattern → each clip's score."""
    emap: tuple[float, ...]
    """Each clip's score by the model's nearest additive function."""


class RobustnessRecord(Afterwards):
    """robustness/<corruption>-<severity>.json: scores of every clip with damaged input."""

    method: int
    corruption: str
    """`audio.white_noise`; several at once are joined by `+`."""
    severity: int
    seed: int
    """Of the corruption's draws."""
    levels: tuple[float, ...]
    """How strong each corruption is at this severity, in its own unit."""
    scores: tuple[float, ...]


R = TypeVar("R", bound=Afterwards)


def robustness_file(corruption: str, severity: int) -> str:
    return f"{ROBUSTNESS}/{corruption}-{severity}.json"


def read_afterwards(folder: Path, file: str, kind: type[R], result: RunResult, command: str) -> R:
    """A record beside a run's result.

    Args:
        command: what makes it again.

    Raises:
        Damaged: it was changed, or measured of another run than this.
    """
    path, remedy = folder / file, f"Delete it; `mmvideo {command} {folder}` makes it again."
    record = read_record(path, kind, remedy)
    if (record.run, record.result) != (result.folder, result.seal):
        raise Damaged(f"{path} was measured of another run ({record.run}) than the one it lies in. {remedy}")
    return record


def read_robustness(folder: Path, file: str, result: RunResult) -> RobustnessRecord:
    """A record of robustness beside a run's result, in the file that is called as it says. Raises Damaged."""
    record = read_afterwards(folder, file, RobustnessRecord, result, "robustness")
    name = robustness_file(record.corruption, record.severity)
    if file != name:
        remedy = f"Delete it; `mmvideo robustness {folder}` makes it again."
        raise Damaged(f"{folder / file} is a copy of the record {name}. {remedy}")
    return record


def by_id(ids: Sequence[str], scores: Float[ndarray, " n"]) -> tuple[float, ...]:
    """Clips' scores as records have them: in the order of the clips' ids, 6 decimals each."""
    return tuple(round(float(score), 6) for _, score in sorted(zip(ids, scores, strict=True)))
