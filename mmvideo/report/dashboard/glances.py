"""What a list of many runs and studies shows of their records, read quickly and checked by their seals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import ConfigDict

from mmvideo.errors import InputError
from mmvideo.files import Damaged, digest_of, read_text, validated
from mmvideo.records import RESULT, Costs, Metrics, run_name, run_remedy
from mmvideo.schema import Part
from mmvideo.study_records import COMPARISON
from mmvideo.vocabulary import TaskKind

REPORT_REMEDY = "`mmvideo compare` writes it again."
T = TypeVar("T")


class Glance(Part):
    """Some fields of a sealed record; its others are not read."""

    model_config = ConfigDict(extra="ignore")

    version: Literal[3]

    @classmethod
    def read(cls, file: Path, remedy: str) -> Self:
        """
        Raises:
            Damaged: it is no such record, or not what was written.
        """
        text = read_text(file, remedy)
        glance, content = validated(str(file), cls, text, remedy), json.loads(text)
        if digest_of({key: value for key, value in content.items() if key != "seal"}) != content.get("seal"):
            raise Damaged(f"{file} is not what was written: its content was changed. {remedy}")
        return glance


class RunGlance(Glance):
    """Of a result.json."""

    arm: str
    seed: int
    signature: str
    task: TaskKind
    val: Metrics
    test: Metrics
    costs: Costs

    @classmethod
    def of(cls, folder: Path) -> Self:
        """A finished run's. Raises Damaged."""
        glance = cls.read(folder / RESULT, run_remedy(folder))
        name = run_name(glance.arm, glance.seed, glance.signature)
        if folder.name != name:
            raise Damaged(f"{folder / RESULT} is the result of the run {name}. {run_remedy(folder)}")
        return glance


class ReportGlance(Glance):
    """Of a comparison.json: a finished report's answer."""

    study: str
    task: TaskKind
    answer: str
    best_unimodal: str | None
    leader: str | None
    arms: tuple[dict[str, Any], ...]
    missing_runs: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """A report's. Raises Damaged."""
        return cls.read(folder / COMPARISON, REPORT_REMEDY)


class Cache(Generic[T]):
    """What was read from files, kept until they change: an error too."""

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._kept: dict[Path, tuple[tuple[int, int, int], T | str]] = {}

    def get(self, folder: Path, file: str) -> T | str | None:
        """What is read from a folder; the reason why it cannot be; None: there is no such file.

        Args:
            file: the one of the folder's files that is written last.
        """
        try:
            stat = (folder / file).stat()
        except FileNotFoundError:
            if (folder / file).is_symlink():
                return f"{folder / file} cannot be read: it is a link to what is not there."
            return None
        except OSError as error:
            return f"{folder / file} cannot be read: {error.strerror}."
        state = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        kept = self._kept.get(folder)
        if kept is None or kept[0] != state:
            try:
                found: T | str = self._read(folder)
            except InputError as error:
                found = str(error)
            kept = self._kept[folder] = state, found
        return kept[1]
