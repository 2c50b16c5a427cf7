"""One run from configuration to result: train, choose on validation, then read the test split once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from mmvideo.config import RunConfig
from mmvideo.data.loading import in_batches
from mmvideo.data.opened import open_data
from mmvideo.data.run_data import RunData
from mmvideo.errors import InputError
from mmvideo.fusion.resized import Resized
from mmvideo.model import build_model
from mmvideo.runs.costs import flops_per_clip, latency_ms, parameter_counts, step_ms
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_splits
from mmvideo.runs.identity import bind
from mmvideo.runs.own_components import check_own_components
from mmvideo.runs.processes import on_devices, on_what_is_there
from mmvideo.runs.torchrun import in_all
from mmvideo.runs.tracker import NoTracker, Tracker
from mmvideo.runs.tracking import open_tracker
from mmvideo.runs.training import Training
from mmvideo.runs.warm_start import clips_seen_before, sources, with_sources
from mmvideo.terminal import note
from mmvideo.training.loop import Progress
from mmvideo.training.processes import gathering
from mmvideo.vocabulary import SPLITS


def execute(config: RunConfig, *, root: Path, progress: bool = False) -> Path:
    """Carry out a run and return its directory. A finished run is left as it is; an interrupted one goes on.

    Args:
        progress: show how far decoding is.

    Raises:
        InputError: something in the configuration or the data is wrong, a component of one's own breaks what
            its kind promises, or the run is finished and its files are not those it was made with.
        Busy: another process is training it.
        TrainingError: the loss became NaN or infinite.
    """
    run, _ = in_all(partial(_execute_missing, config, root, progress))
    return run.path


def train_missing(config: RunConfig, *, root: Path) -> bool:
    """As `execute`, but tell whether the run was trained now: False if it was finished before."""
    return in_all(partial(_execute_missing, config, root, progress=False))[1]


def _execute_missing(config: RunConfig, root: Path, progress: bool) -> tuple[RunDirectory, bool]:
    config = with_sources(on_what_is_there(config))
    check_own_components(config, root)
    source = open_data(config, progress=progress)
    run = RunDirectory.create(root, config, source.fingerprint)
    trained = False
    if not run.finished:
        with run.lock():
            if not run.finished:  # by another process, meanwhile
                on_devices(config, partial(_execute, config=config, run=run, progress_shown=progress))
                trained = True
    run.result()  # its files are those it was made with
    return run, trained


def _execute(fabric: Fabric, config: RunConfig, run: RunDirectory, progress_shown: bool) -> None:
    first = fabric.is_global_zero
    if not run.path.is_dir():
        raise InputError(
            f"Process {fabric.global_rank} of the run does not find {run.path.absolute()}, the run's folder. "
            "On several machines, that and the data must be on a file system that all share, under one path."
        )
    warm, source = sources(config), open_data(config, progress=progress_shown and first)
    data = RunData.over(config, source, {modality: earlier.inputs for modality, earlier in warm.items()})
    for notice in data.content.notices:  # asked for here, so that data of which nothing can come end here
        if progress_shown and first:
            note(notice)
    training = Training.ready(data, warm, run, fabric)
    model = training.model
    with _tracked(config, run, first) as tracker:
        progress = training.fit(lambda metrics: tracker.log(metrics, metrics["step"]))
        model.deploy()
        net = fabric.setup(model)
        result = evaluate_splits(gathering(net, fabric), data, run, fabric)
        if not first:
            return
        result |= _counted(data, progress)
        as_written = [f"{part} was not compiled: {why}" for part, why in progress.not_compiled.items()]
        result["warnings"] = [*clips_seen_before(data, warm), *as_written]
        result["costs"] = _costs(training, net, progress)
        fusion = model.fusion.fusion if isinstance(model.fusion, Resized) else model.fusion
        result["step_spent_on"] = fusion.cost
        bound = bind(run.path, config, data.source.listed, data.fingerprint, result)
        run.write_result(bound)
        tracker.finish(bound)


def _costs(training: Training, net: Any, progress: Progress) -> dict[str, float]:
    """The deployed model's costs; and the parameters that the objective added in training, heads and
    levels."""
    data, model, fabric = training.data, training.model, training.fabric
    deployed = build_model(data.config, data.outputs, data.told) if model.extra else model
    example = next(in_batches(data.dataset("val"), data.config.train.batch_size)).to(fabric.device)
    trained = sum(p.numel() for part in (model, training.objective) for p in part.parameters())
    counts = parameter_counts(deployed)
    return {
        **counts,
        "objective_parameters": trained - counts["parameters"],
        "flops_per_clip": flops_per_clip(model, example),
        "train_seconds": progress.seconds,
        "latency_ms": latency_ms(net, example),
        "peak_memory_mb": training.memory.megabytes(),
        "step_ms": step_ms(net, example, fabric),
    }


@contextmanager
def _tracked(config: RunConfig, run: RunDirectory, first: bool) -> Iterator[Tracker]:
    """A mirror of the run, which ends as failed if the run does, or if it is interrupted; kept by its first
    process."""
    tracker = open_tracker(config, run.path, run.signature) if first else NoTracker()
    try:
        yield tracker
    except BaseException:
        tracker.fail()
        raise


def _counted(data: RunData, progress: Progress) -> dict[str, Any]:
    return {
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "steps": progress.step,
        "counts": {split: len(data.clips(split)) for split in SPLITS},
        "train_prior": data.train_prior(),
        "train_presence": data.train_presence(),
        "content": dict(data.content.splits),
        "data_notices": data.content.notices,
        "failed_clips": dict(data.source.failed),
        "media_warnings": dict(data.source.warnings),
        "feature_values_zeroed": {
            name: modality.zeroed for name, modality in data.modalities.items() if modality.kind == "features"
        },
    }
