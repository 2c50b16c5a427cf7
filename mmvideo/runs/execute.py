"""One run from configuration to result: train, choose on validation, then read the test split once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mmvideo.config import RunConfig
from mmvideo.data.features import save_inputs
from mmvideo.data.loading import in_batches
from mmvideo.data.run_data import Data, open_data
from mmvideo.fusion.resized import Resized
from mmvideo.model import FusionModel, build_model
from mmvideo.runs.assembly import (
    FEATURES,
    TOKENIZER,
    checkpoints,
    load_tokenizer,
    make_fabric,
    make_objective,
    trained_model,
    training_data,
)
from mmvideo.runs.costs import PeakMemory, flops_per_clip, latency_ms, parameter_counts, step_ms
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run, evaluate_splits
from mmvideo.runs.tracking import Tracker, open_tracker
from mmvideo.runs.warm_start import check_all_start_from_runs, sources, start_encoders, with_sources
from mmvideo.seeding import derive_seed
from mmvideo.training.loop import Progress, fit
from mmvideo.training.objectives import Objective
from mmvideo.vocabulary import SPLITS

__all__ = ["evaluate_run", "execute", "make_fabric"]


def execute(config: RunConfig, *, root: Path) -> Path:
    """Carry out a run and return its directory. A finished run is left as it is; an interrupted one goes on.

    Raises:
        InputError: something in the configuration or the data is wrong.
        Busy: another process is training it.
        TrainingError: the loss became NaN or infinite.
    """
    config = with_sources(config)
    data = open_data(config.data).for_run(config)
    run = RunDirectory.create(root, config, data.fingerprint)
    if run.finished:
        return run.path
    with run.lock():
        if not run.finished:  # by another process, since it was looked at
            _execute(config, data, run)
    return run.path


def _execute(config: RunConfig, data: Data, run: RunDirectory) -> None:
    fabric = make_fabric(config)
    memory = PeakMemory(fabric.device)
    warm = sources(config)
    tokenizer = load_tokenizer(warm["text"]) if "text" in warm else data.make_tokenizer(config)
    if tokenizer is not None:
        tokenizer.save(run.path / TOKENIZER)
    features = {modality: found.input for modality, found in data.features.items()}
    save_inputs(run.path / FEATURES, features)
    torch.manual_seed(derive_seed(config.seed, "weights"))
    model = trained_model(config, data, tokenizer, features)
    start_encoders(model.encoders, warm)
    if config.encoders_frozen:
        check_all_start_from_runs(config, warm)
        model.encoders.requires_grad_(False)
    model.prior.copy_(torch.tensor(data.train_prior()))
    torch.manual_seed(derive_seed(config.seed, "objective"))
    objective = make_objective(config, data)
    loader = training_data(config, data, tokenizer, model, fabric.device)
    with _tracked(config, run) as tracker:

        def log(metrics: dict[str, Any]) -> None:
            run.log_metrics(metrics)
            tracker.log(metrics, metrics["step"])

        progress = fit(
            model,
            objective,
            loader,
            config.train,
            seed=config.seed,
            fabric=fabric,
            checkpoints=checkpoints(run),
            log=log,
            task=data.task,
            resumed=run.truncate_metrics,
        )
        model.deploy()
        net = fabric.setup(model)
        result = evaluate_splits(net, config, data, run, tokenizer, fabric)
        vocabulary = tokenizer.size if tokenizer else 0
        deployed = build_model(config, data.outputs, vocabulary, features) if model.extra else model
        batches = in_batches(data.dataset("val", config, tokenizer), config.train.batch_size)
        example = next(batches).to(fabric.device)
        result |= _provenance(config, data, run, progress)
        result["costs"] = {
            **_parameters(model, deployed, objective),
            "flops_per_clip": flops_per_clip(model, example),
            "train_seconds": progress.seconds,
            "latency_ms": latency_ms(net, example),
            "peak_memory_mb": memory.megabytes(),
            "step_ms": step_ms(net, example, fabric),
        }
        fusion = model.fusion.fusion if isinstance(model.fusion, Resized) else model.fusion
        result["step_spent_on"] = fusion.cost
        run.write_result(result)
        tracker.finish(result)


def _parameters(model: FusionModel, deployed: FusionModel, objective: Objective) -> dict[str, int]:
    """The deployed model's parameters; and those that the objective added in training, heads and levels."""
    trained = sum(p.numel() for part in (model, objective) for p in part.parameters())
    counts = parameter_counts(deployed)
    return counts | {"objective_parameters": trained - counts["parameters"]}


@contextmanager
def _tracked(config: RunConfig, run: RunDirectory) -> Iterator[Tracker]:
    """A mirror of the run, which ends as failed if the run does, or if it is interrupted."""
    tracker = open_tracker(config, run.path, run.signature)
    try:
        yield tracker
    except BaseException:
        tracker.fail()
        raise


def _provenance(config: RunConfig, data: Data, run: RunDirectory, progress: Progress) -> dict[str, Any]:
    return {
        "study": config.study,
        "arm": config.arm,
        "seed": config.seed,
        "signature": run.signature,
        "classes": list(data.manifest.classes),
        "data_fingerprint": data.fingerprint,
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "steps": progress.step,
        "counts": {split: len(data.clips(split)) for split in SPLITS},
        "train_prior": data.train_prior(),
        "train_presence": data.train_presence(),
        "failed_clips": dict(data.failed),
        "subtitle_warnings": {name: list(told) for name, told in data.warnings.items()},
        "feature_values_zeroed": {modality: found.zeroed for modality, found in data.features.items()},
    }
