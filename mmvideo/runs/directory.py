"""A run's directory: the record that everything else (dashboard, report) is derived from.

`<root>/<study>/<arm>-s<seed>-<signature>/` holds

    config.json               the complete configuration; it alone re-runs the run
    env.json                  code version, libraries, device, data fingerprint
    metrics.jsonl             one JSON object a line, appended while training
    predictions_<split>.jsonl one JSON object a clip
    checkpoints/
    result.json               written last and atomically: it exists if and only if the run is finished
    error.txt                 why the last attempt failed, if it did
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmvideo.config import RunConfig, load_config
from mmvideo.errors import InputError
from mmvideo.files import Busy
from mmvideo.runs.environment import describe_environment
from mmvideo.vocabulary import Split


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that a reader, or a crash at any moment, sees the old or the new, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def make_folder(path: Path, flag: str = "--root") -> None:
    """Create a folder and its parents; `flag` is what chooses another one.

    Raises:
        InputError: it cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(
            f"Cannot write to the folder '{path}': {error.strerror}. "
            f"Choose another folder with {flag}, or change its permissions."
        ) from error


@dataclass(frozen=True)
class RunDirectory:
    """One run's directory: `create` writes it, `locate` only names it, `RunDirectory(path)` opens one."""

    path: Path

    @classmethod
    def locate(cls, root: Path, config: RunConfig, data_fingerprint: str) -> RunDirectory:
        """Where this configuration's run on this data stands or would stand. Nothing is written."""
        name = f"{config.arm}-s{config.seed}-{config.signature(data_fingerprint)}"
        return cls(Path(root) / config.study / name)

    @classmethod
    def create(cls, root: Path, config: RunConfig, data_fingerprint: str) -> RunDirectory:
        """The run's directory with config.json and env.json in it. A finished run's record is left as it is.

        An interrupted run keeps the environment it began in; a different one that continues it is added
        to env.json under `resumed_in`.

        Raises:
            InputError: the folder cannot be written to.
        """
        run = cls.locate(root, config, data_fingerprint)
        if run.finished:
            return run
        make_folder(run.path / "checkpoints")
        write_atomically(run.path / "config.json", config.model_dump_json(indent=2) + "\n")
        run._record_environment(describe_environment(config, data_fingerprint))
        return run

    def _record_environment(self, now: dict[str, Any]) -> None:
        path = self.path / "env.json"
        record = now
        if path.exists():
            record = json.loads(path.read_text())
            resumed = record.setdefault("resumed_in", [])
            began = {key: value for key, value in record.items() if key != "resumed_in"}
            if now != began and now not in resumed:
                resumed.append(now)
            if not resumed:
                del record["resumed_in"]
        write_atomically(path, json.dumps(record, indent=2) + "\n")

    @property
    def signature(self) -> str:
        """What decides the run's numbers, in ten hex digits."""
        return self.path.name.rpartition("-")[2]

    @property
    def config(self) -> RunConfig:
        """The run's configuration.

        Raises:
            InputError: there is no config.json, or it is not a valid configuration.
        """
        path = self.path / "config.json"
        if not path.is_file():
            raise InputError(f"'{self.path}' is not a run directory: it holds no config.json.")
        return load_config(path.read_text(encoding="utf-8"), str(path))

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").is_file()

    def result(self) -> dict[str, Any]:
        """The content of result.json.

        Raises:
            InputError: the run is not finished.
        """
        if not self.finished:
            raise InputError(f"The run '{self.path}' is not finished (no result.json). Train it first.")
        return json.loads((self.path / "result.json").read_text(encoding="utf-8"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run alone. The lock ends with its process, however that ends, so none is ever left behind.

        Raises:
            Busy: another process holds it.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(
                    f"Another process is training '{self.path}'. Wait for it, or end it, and try again."
                ) from error
            yield

    def checkpoint_path(self, name: str) -> Path:
        """Where the checkpoint file of this name (with its suffix) belongs."""
        return self.path / "checkpoints" / name

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; it is on its way to the disk when this returns."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(metrics)) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All complete lines of metrics.jsonl; a last line that a killed process left torn is not one."""
        path = self.path / "metrics.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def truncate_metrics(self, epoch: int) -> None:
        """Keep what was logged up to and including `epoch`: a run that resumes there logs the rest again."""
        kept = [line for line in self.metrics() if line["epoch"] <= epoch]
        write_atomically(self.path / "metrics.jsonl", _as_lines(kept))

    def write_predictions(self, split: Split, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write predictions_<split>.jsonl, one JSON object a clip."""
        write_atomically(self.path / f"predictions_{split}.jsonl", _as_lines(rows))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write result.json, which makes the run finished. The last thing a run does."""
        write_atomically(self.path / "result.json", json.dumps(dict(result), indent=2) + "\n")
        (self.path / "error.txt").unlink(missing_ok=True)

    def write_error(self, text: str) -> Path:
        """Write error.txt: why this attempt failed. Returns its path."""
        make_folder(self.path)
        path = self.path / "error.txt"
        write_atomically(path, text.rstrip() + "\n")
        return path


def _as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
