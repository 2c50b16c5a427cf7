"""The mirror of runs on a W&B dashboard. No run fails for it: the run directory is the record.

Offline files lie in `<root>/<study>/wandb/`, one folder a run, so that they go where the study goes.
"""

from __future__ import annotations

import netrc
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mmvideo.config import RunConfig, TrackingConfig
from mmvideo.config_diff import flatten
from mmvideo.files import read_rows
from mmvideo.records import Prediction, RunResult, predictions_file, run_remedy

if TYPE_CHECKING:
    import pandas as pd
    import wandb

INIT_SECONDS = 20.0
FINISH_SECONDS = 60.0
"""What the dashboard may cost a run at most, at its start and at its end, when the server does not answer."""

_unreachable = (
    False  # after one failure to reach the server, the process goes on offline instead of waiting again
)


class Tracker(Protocol):
    """What a run tells the dashboard. Call sites need no branches: `NoTracker` takes the same calls."""

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """One line of metrics.jsonl. Its values appear as `<split>/<name>` over `step` (optimiser steps)."""

    def finish(self, result: RunResult) -> None:
        """The run's final numbers; ends the mirror."""

    def fail(self) -> None:
        """Ends the mirror of a run that stopped before its result; the dashboard shows it as failed."""


class NoTracker:
    """Takes the calls of a tracker and does nothing."""

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        return

    def finish(self, result: RunResult) -> None:
        return

    def fail(self) -> None:
        return


class WandbTracker:
    """A W&B run. At its first failure it says so once, and takes no further part."""

    def __init__(self, run: wandb.Run, run_dir: Path) -> None:
        self._run: wandb.Run | None = run
        self._run_dir = run_dir

    @contextmanager
    def _guarded(self) -> Iterator[wandb.Run | None]:
        try:
            yield self._run
        except Exception as error:
            _warn(f"W&B tracking of {self._run_dir.name} stops here: {_one_line(error)}")
            self._run = None

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        with self._guarded() as run:
            if run:
                prefix = f"{metrics['split']}/" if "split" in metrics else ""
                plain = {
                    key: value for key, value in metrics.items() if key not in ("split", "step", "epoch")
                }
                row = {f"{prefix}{key}": value for key, value in plain.items()}
                run.log(row | {key: metrics[key] for key in ("epoch",) if key in metrics} | {"step": step})

    def finish(self, result: RunResult) -> None:
        with self._guarded() as run:
            if run:
                numbers = result.model_dump(mode="json", exclude={"version", "deciding"})
                run.summary.update(_numbers(numbers))
                if result.task == "single_label":
                    run.log({"test/confusion": _confusion(self._run_dir, result.classes)})
                run.finish()

    def fail(self) -> None:
        with self._guarded() as run:
            if run:
                run.finish(exit_code=1)


def open_tracker(config: RunConfig, run_dir: Path, signature: str) -> Tracker:
    """Begin mirroring a run: group = study, job type = arm, the complete configuration, and an id that a
    resumed run finds again.

    The mode is WANDB_MODE where that is set; else online if there is a key for the configured host, else
    offline. Nothing is written where the mode is `disabled` or `tracking.wandb` is off.
    """
    folder = run_dir.parent
    run = _start(
        config.tracking,
        folder,
        group=config.study,
        job_type=config.arm,
        name=f"{config.arm}-s{config.seed}",
        id=_id(config.study, config.arm, f"s{config.seed}", signature),
        config=config.model_dump(mode="json") | {"signature": signature},
    )
    return WandbTracker(run, run_dir) if run else NoTracker()


def log_study(
    study: str,
    study_dir: Path,
    tracking: TrackingConfig,
    *,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Path],
    summary: Mapping[str, Any],
) -> None:
    """One more W&B run for the whole study (job type `summary`): its comparison tables, verdicts and figures.

    Args:
        tables: name → table, such as the comparison and its pairwise verdicts.
        figures: name → PNG file.
        summary: single values, such as the answer in words.
    """
    run = _start(
        tracking,
        study_dir,
        group=study,
        job_type="summary",
        name=f"{study}-summary",
        id=_id(study, "summary"),
        config={"study": study},
    )
    if run is None:
        return
    try:
        import wandb

        content: dict[str, Any] = {
            name: wandb.Table(dataframe=_plain(table)) for name, table in tables.items()
        }
        content |= {name: wandb.Image(str(path)) for name, path in figures.items()}
        run.log(content)
        run.summary.update(dict(summary))
        run.finish()
    except Exception as error:
        _warn(f"the study's W&B summary is incomplete: {_one_line(error)}")


def offline_hint(study_dir: Path) -> str | None:
    """Shell commands to look at a study's offline runs and to upload them; None if there are none."""
    folder = study_dir / "wandb"
    if not any(folder.glob("offline-run-*")):
        return None
    program = "wandb"
    if shutil.which(program) is None:  # the virtual environment is not activated
        beside = str(Path(sys.executable).with_name(program))
        near = os.path.relpath(beside)
        program = shlex.quote(beside if near.startswith("..") else near)
    quoted = shlex.quote(str(folder))
    return f"{program} leet {quoted}\n{program} sync {quoted}/offline-run-*"


def _start(tracking: TrackingConfig, folder: Path, **identity: Any) -> wandb.Run | None:
    """A W&B run, or None where tracking is off or W&B does not start."""
    global _unreachable
    if not tracking.wandb or os.environ.get("WANDB_MODE") == "disabled":
        return None
    try:
        import wandb

        mode = _mode(wandb.setup().settings.base_url)
        try:
            return _init(mode, tracking, folder, identity)
        except Exception as error:
            if mode == "offline":
                raise
            _unreachable = True
            _warn(f"W&B could not be reached, so this process goes on offline: {_one_line(error)}")
            wandb.teardown()  # its service still holds the run that did not start
            return _init("offline", tracking, folder, identity)
    except Exception as error:
        _warn(f"W&B tracking is off for {identity['name']}: {_one_line(error)}")
        return None


def _init(mode: str, tracking: TrackingConfig, folder: Path, identity: dict[str, Any]) -> wandb.Run:
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        mode=mode,
        root_dir=str(folder),
        silent=True,
        console="off",
        save_code=False,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        x_disable_stats=mode == "offline",
        x_save_requirements=False,
    )
    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        tags=tracking.tags,
        resume="allow",
        reinit="create_new",
        settings=settings,
        **identity,
    )
    # a step of our own: a resumed run repeats some, which W&B's own counter would refuse
    run.define_metric("step", hidden=True)
    run.define_metric("*", step_metric="step")
    return run


def _mode(base_url: str) -> str:
    """What WANDB_MODE says, else online; but never online without a key, since W&B would ask for one."""
    wanted = os.environ.get("WANDB_MODE", "online")
    if wanted == "online" and (_unreachable or not _has_key(base_url)):
        return "offline"
    return wanted


def _has_key(base_url: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    candidates = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    files = [path for path in map(os.path.expanduser, candidates) if os.path.isfile(path)]
    return any(netrc.netrc(path).authenticators(urlsplit(base_url).hostname or "") for path in files)


def _id(*parts: str) -> str | None:
    if "WANDB_SWEEP_ID" in os.environ:  # a sweep's agent has chosen the id
        return None
    return "-".join(parts).replace(".", "-").replace("+", "-")


def _numbers(nested: Mapping[str, Any]) -> dict[str, bool | int | float]:
    """What a dashboard can sort by: `{"test": {"accuracy": 0.9}, …}` → `{"test/accuracy": 0.9, …}`."""
    flat = flatten(dict(nested))
    return {
        key.replace(".", "/"): value for key, value in flat.items() if isinstance(value, bool | int | float)
    }


def _confusion(run_dir: Path, classes: Sequence[str]) -> Any:
    import wandb

    rows = read_rows(run_dir / predictions_file("test"), Prediction, run_remedy(run_dir))
    return wandb.plot.confusion_matrix(
        y_true=[classes.index(str(row.label)) for row in rows],
        preds=[max(range(len(row.outputs)), key=row.outputs.__getitem__) for row in rows],
        class_names=list(classes),
        title="test confusion",
    )


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table W&B takes: its index as columns, and text for what is neither text nor number."""
    plain = (bool, int, float, str)
    return table.reset_index().apply(
        lambda column: column if column.map(type).isin(plain).all() else column.astype(str)
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _warn(message: str) -> None:
    print(f"mmvideo: warning: {message}", file=sys.stderr)
