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

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mmvideo.config import RunConfig, load_config
from mmvideo.errors import InputError
from mmvideo.files import (
    Damaged,
    NotWritable,
    append,
    locked,
    make_folder,
    read_record,
    read_rows,
    read_text,
    remove_abandoned,
    write_whole,
)
from mmvideo.names import path_name
from mmvideo.records import (
    ALWAYS,
    CHECKPOINT,
    CONFIG,
    ENVIRONMENT,
    ERROR,
    HELD,
    METRICS,
    RESULT,
    STATE,
    Environment,
    MetricLine,
    Prediction,
    RunResult,
    open_run,
    predictions_file,
    run_name,
    run_remedy,
)
from mmvideo.runs.environment import describe_environment
from mmvideo.runs.identity import signature
from mmvideo.vocabulary import Split

ENVIRONMENT_REMEDY = "Delete it; the run goes on, and writes it anew."


@dataclass(frozen=True)
class RunDirectory:
    """One run's directory: `create` writes it, `locate` only names it, `RunDirectory(path)` opens one."""

    path: Path

    @classmethod
    def locate(cls, root: Path, config: RunConfig, data_fingerprint: str) -> Self:
        """Where this configuration's run on this data stands or would stand. Nothing is written.

        Raises:
            InputError: study or arm is no folder's name, as a configuration changed unchecked may have.
        """
        name = run_name(path_name(config.arm), config.seed, signature(config, data_fingerprint))
        return cls(Path(root) / path_name(config.study) / name)

    @classmethod
    def create(cls, root: Path, config: RunConfig, data_fingerprint: str) -> Self:
        """The run's directory with config.json and env.json in it. A finished run's record is left as it is.

        An interrupted run keeps the environment it began in; a different one that continues it is added
        to env.json under `resumed_in`.

        Raises:
            InputError: the folder cannot be written to.
        """
        run = cls.locate(root, config, data_fingerprint)
        if run.finished:
            return run
        for folder in (run.path, run.checkpoints):
            make_folder(folder)
            remove_abandoned(folder)
        for name in (RESULT, *ALWAYS, CHECKPOINT):
            if (run.path / name).is_dir():
                raise NotWritable(f"{run.path / name} is a folder, where the run is to write a file; move it")
        write_whole(run.path / CONFIG, config.model_dump_json(indent=2) + "\n")
        run._record_environment(describe_environment(config, data_fingerprint))
        return run

    def _record_environment(self, now: Environment) -> None:
        path, record = self.path / ENVIRONMENT, now
        if path.exists():
            record = read_record(path, Environment, ENVIRONMENT_REMEDY)
            began = record.model_copy(update={"resumed_in": ()})
            if now not in (began, *record.resumed_in):
                record = record.model_copy(update={"resumed_in": (*record.resumed_in, now)})
        write_whole(path, record.text())

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
        path = self.path / CONFIG
        if not path.is_file():
            raise InputError(f"'{self.path}' is not a run directory: it holds no config.json.")
        return load_config(read_text(path, run_remedy(self.path)), str(path))

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    def result(self) -> RunResult:
        """The content of result.json, of a run whose files are those it was made with.

        Raises:
            InputError: the run is not finished, or a file of it was changed (see `mmvideo.records.open_run`).
        """
        if not self.finished:
            runs = sorted(file.parent.name for file in self.path.glob(f"*/{RESULT}"))
            if runs:
                raise InputError(
                    f"{self.path} is no run, but a folder of {len(runs)} finished ones. Give one of them, "
                    f"such as {self.path / runs[0]}."
                )
            raise InputError(f"The run '{self.path}' is not finished (no result.json). Train it first.")
        return open_run(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run alone. The lock ends with its process, however that ends, so none is ever left behind.

        Raises:
            Busy: another process holds it.
        """
        busy = f"Another process is training '{self.path}'. Wait for it, or end it, and try again."
        with locked(self.path / HELD, busy=busy):
            yield

    @property
    def checkpoints(self) -> Path:
        """The folder of its weights and of what it resumes from."""
        return self.path / "checkpoints"

    @property
    def saved(self) -> int:
        """When the training state that it resumes from was saved, in nanoseconds; 0 before the first epoch's
        end."""
        file = self.path / STATE
        return file.stat().st_mtime_ns if file.exists() else 0

    @property
    def inputs(self) -> Path:
        """The folder of what its modalities learnt of the training clips: tokenizer, spread of features."""
        return self.path / "inputs"

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; it is on its way to the disk when this returns."""
        append(self.path / METRICS, json.dumps(dict(metrics)) + "\n")

    def metrics(self) -> list[MetricLine]:
        """All complete lines of metrics.jsonl; a last line that a killed process left torn is not one."""
        path = self.path / METRICS
        return read_rows(path, MetricLine, run_remedy(self.path), torn=True) if path.exists() else []

    def truncate_metrics(self, epoch: int, digest: str | None = None) -> None:
        """Keep what was logged up to and including `epoch`: a run that resumes there logs the rest again.

        Args:
            digest: SHA-256 of what was logged by then; None: not known.

        Raises:
            Damaged: what is kept is not what was logged.
        """
        path, values = self.path / METRICS, self.metrics()
        lines = read_text(path, run_remedy(self.path)).split("\n") if values else []
        rows = zip(lines, values, strict=False)
        kept = "".join(f"{line}\n" for line, value in rows if value.epoch <= epoch).encode()
        if digest not in (None, hashlib.sha256(kept).hexdigest()):
            raise Damaged(
                f"{path} is not what the run logged up to epoch {epoch}: it was changed or cut short. "
                f"{run_remedy(self.path)}"
            )
        write_whole(path, kept)

    def write_predictions(self, split: Split, rows: Iterable[Prediction]) -> None:
        """Write predictions_<split>.jsonl, one JSON object a clip."""
        write_whole(self.path / predictions_file(split), "".join(row.text() for row in rows))

    def write_result(self, result: RunResult) -> None:
        """Write result.json, which makes the run finished. The last thing a run does."""
        write_whole(self.path / RESULT, result.text())
        (self.path / ERROR).unlink(missing_ok=True)

    def write_error(self, text: str) -> Path:
        """Write error.txt: why this attempt failed. Returns its path."""
        make_folder(self.path)
        path = self.path / ERROR
        write_whole(path, text.rstrip() + "\n")
        return path
