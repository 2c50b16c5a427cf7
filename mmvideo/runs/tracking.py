"""The mirror of runs on a W&B dashboard. No run fails for it: the run directory is the record.

Offline files lie in `<root>/<study>/wandb/`, one folder a run, so that they go where the study goes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmvideo.config import RunConfig, TrackingConfig
from mmvideo.errors import InputError
from mmvideo.records import CHECKPOINT, RunResult
from mmvideo.runs.tracked import artifact, confusion, groups, numbers, table
from mmvideo.runs.tracker import NoTracker, Tracker, dashboard_id
from mmvideo.runs.tracking_environment import (
    has_key,
    in_trial,
    outside_trial,
    takes_trial,
    wanted_mode,
    warn,
)

if TYPE_CHECKING:
    import pandas as pd
    import wandb

INIT_SECONDS = 20.0
FINISH_SECONDS = 60.0
"""What the dashboard may cost a run at most, at its start and at its end, when the server does not answer."""

UNNAMED = ("split", "step", "epoch")
_unreachable = False
"""After one failure to reach the server, the process goes on offline instead of waiting again."""


class WandbTracker:
    """A W&B run. At its first failure it says so once, and takes no further part."""

    def __init__(self, run: wandb.Run, run_dir: Path, artifacts: bool = False) -> None:
        self._run: wandb.Run | None = run
        self._run_dir = run_dir
        self._artifacts = artifacts

    @contextmanager
    def _guarded(self) -> Iterator[wandb.Run | None]:
        try:
            yield self._run
        except TimeoutError:
            assert self._run is not None
            _did_not_finish(self._run, self._run_dir.name)
            self._run = None
        except Exception as error:
            warn(f"W&B tracking of {self._run_dir.name} stops here: {_one_line(error)}")
            self._run = None

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        with self._guarded() as run:
            if run:
                prefix = f"{metrics['split']}/" if "split" in metrics else ""
                named = {key: value for key, value in metrics.items() if key not in UNNAMED}
                row = {f"{prefix}{key}": value for key, value in named.items()}
                run.log(row | {key: metrics[key] for key in ("epoch",) if key in metrics} | {"step": step})

    def finish(self, result: RunResult) -> None:
        with self._guarded() as run:
            if run:
                run.summary.update(numbers(result.model_dump(mode="json", exclude={"version", "deciding"})))
                if result.task == "single_label":
                    run.log(confusion(self._run_dir, result.classes))
                if self._artifacts:
                    run.log_artifact(artifact(f"{run.id}-best", "model", self._run_dir / CHECKPOINT))
                run.finish()

    def fail(self) -> None:
        self.close(exit_code=1)

    def close(self, exit_code: int = 0) -> None:
        with self._guarded() as run:
            if run:
                run.finish(exit_code=exit_code)


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
        id=dashboard_id(config.study, config.arm, f"s{config.seed}", signature),
        config=config.model_dump(mode="json") | {"signature": signature} | groups(config, folder),
    )
    return WandbTracker(run, run_dir, config.tracking.artifacts) if run else NoTracker()


def mirrored(tracking: TrackingConfig) -> bool:
    """Whether anything is recorded for W&B."""
    return tracking.wandb and wanted_mode() != "disabled"


def log_study(
    study: str,
    study_dir: Path,
    tracking: TrackingConfig,
    *,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Path],
    summary: Mapping[str, Any],
    manifest: Path | None = None,
) -> None:
    """One more W&B run for the whole study (job type `summary`): its comparison tables, verdicts and figures.

    Args:
        tables: name → table, such as the comparison and its pairwise verdicts. Bytes in it are picture files.
        figures: name → PNG file, or a page with charts to be used as they are.
        summary: single values, such as the answer in words.
        manifest: the list of clips, kept as an artifact where `tracking.artifacts` says so.
    """
    run = _start(
        tracking,
        study_dir,
        group=study,
        job_type="summary",
        name=f"{study}-summary",
        id=dashboard_id(study, "summary"),
        config={"study": study, "role": "summary"},
    )
    if run is None:
        return
    try:
        import wandb

        content: dict[str, Any] = {name: table(frame) for name, frame in tables.items()}
        content |= {
            name: wandb.Html(str(path), inject=False) if path.suffix == ".html" else wandb.Image(str(path))
            for name, path in figures.items()
        }
        run.log(content)
        run.summary.update(dict(summary))
        if tracking.artifacts and manifest is not None:
            run.log_artifact(artifact(f"{study}-manifest", "dataset", manifest))
        run.finish()
    except TimeoutError:
        _did_not_finish(run, f"the summary of {study}")
    except Exception as error:
        warn(f"the study's W&B summary is incomplete: {_one_line(error)}")


def view_account(entity: str | None) -> tuple[str, bool]:
    """Whose views are made on W&B: the entity, and whether there is a key for its server.

    Without one, or where WANDB_MODE says so, nothing is asked for and nothing is sent.

    Raises:
        InputError: there is a key, and the server does not answer to it.
    """
    import wandb

    if wanted_mode() in ("offline", "disabled") or not has_key(wandb.setup().settings.base_url):
        return entity or "", False
    try:
        found = entity or wandb.Api(timeout=int(INIT_SECONDS)).default_entity
    except Exception as error:
        raise InputError(f"W&B does not answer to the key it was given: {_one_line(error)}") from error
    if not found:
        raise InputError("The key's account has no default entity on W&B. Give one with --entity.")
    return str(found), True


def offline_hint(study_dir: Path) -> str | None:
    """Shell commands to look at a study's offline runs and to upload them; None if there are none."""
    folder = study_dir / "wandb"
    if not any(folder.glob("offline-run-*")):
        return None
    program, quoted = _program(), shlex.quote(str(folder))
    return f"{program} leet {quoted}\n{program} sync {quoted}/offline-run-*"


def _program() -> str:
    """How a shell calls wandb: by its path, where the virtual environment is not activated."""
    if shutil.which("wandb") is not None:
        return "wandb"
    beside = str(Path(sys.executable).with_name("wandb"))
    near = os.path.relpath(beside)
    return shlex.quote(beside if near.startswith("..") else near)


def _did_not_finish(run: wandb.Run, name: str) -> None:
    """Say what is left to do, and let the process's next runs go offline: none waits for it again."""
    global _unreachable
    _unreachable = True
    folder = shlex.quote(str(run.settings.sync_dir))
    warn(
        f"W&B did not take all of {name} within {FINISH_SECONDS:.0f} s. Its record is complete, and nothing "
        f"is lost: `{_program()} sync {folder}` uploads the rest. This process goes on offline."
    )


def _start(tracking: TrackingConfig, folder: Path, **identity: Any) -> wandb.Run | None:
    """A W&B run, or None where tracking is off or W&B does not start."""
    if not mirrored(tracking):
        return None
    try:
        if not in_trial():
            return _started(tracking, folder, identity)
        import wandb

        wandb.teardown()  # it begins anew from the environment
        with nullcontext() if takes_trial(folder, identity["id"]) else outside_trial():
            return _started(tracking, folder, identity)
    except Exception as error:
        warn(f"W&B tracking is off for {identity['name']}: {_one_line(error)}")
        return None


def _started(tracking: TrackingConfig, folder: Path, identity: dict[str, Any]) -> wandb.Run:
    """A W&B run, offline where the server is not reached."""
    global _unreachable
    import wandb

    mode = _mode(wandb.setup().settings.base_url)
    try:
        return _init(mode, tracking, folder, identity)
    except Exception as error:
        if mode == "offline":
            raise
        _unreachable = True
        warn(f"W&B could not be reached, so this process goes on offline: {_one_line(error)}")
        wandb.teardown()  # its service still holds the run that did not start
        return _init("offline", tracking, folder, identity)


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
        finish_timeout_raises=True,
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
    wanted = wanted_mode() or "online"
    if wanted == "online" and (_unreachable or not has_key(base_url)):
        return "offline"
    return wanted


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
