"""One run from configuration to result: train, choose on validation, then read the test split once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from mmvideo.config import RunConfig
from mmvideo.data.dataset import ShuffledPairs
from mmvideo.data.loading import SplitLoader, in_batches
from mmvideo.data.tokenizer import WordPieces
from mmvideo.model import build_model
from mmvideo.registry import OBJECTIVES, build
from mmvideo.runs.costs import PeakMemory, flops_per_clip, latency_ms, parameter_counts
from mmvideo.runs.data import Data, open_data
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.tracking import Tracker, open_tracker
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Progress, fit
from mmvideo.training.predict import Predictions, predict
from mmvideo.words import SPLITS, InputError, Split

TOKENIZER = "tokenizer.json"


def execute(config: RunConfig, *, root: Path) -> Path:
    """Carry out a run and return its directory. A finished run is left as it is; an interrupted one goes on.

    Raises:
        InputError: something in the configuration or the data is wrong.
        TrainingError: the loss became NaN or infinite.
    """
    data = open_data(config.data)
    run = RunDirectory.create(root, config, data.fingerprint)
    if run.finished:
        return run.path
    with run.lock():
        _execute(config, data, run)
    return run.path


def evaluate_run(path: Path, *, manifest: str | None = None, split: Split = "test") -> dict[str, float]:
    """A finished run's metrics on a split of its own manifest, or of another one with the same classes.

    Raises:
        InputError: not a finished run, or the manifest's classes are others than the run's.
    """
    run = RunDirectory(path)
    classes = tuple(run.result()["classes"])
    config = run.config
    if manifest is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"manifest": manifest})})
    data = open_data(config.data, progress=True)
    if data.manifest.classes != classes:
        raise InputError(
            f"{config.data.manifest} has the classes {data.manifest.classes}; "
            f"the run at {path} knows {classes}"
        )
    tokenizer = _load_tokenizer(run, config)
    fabric = make_fabric(config)
    model = build_model(config, len(classes), tokenizer.size if tokenizer else 0)
    _checkpoints(run).load_best(model)
    batches = in_batches(data.dataset(split, config, tokenizer), config.train.batch_size)
    return predict(fabric.setup(model), batches, fabric.device).metrics()


def make_fabric(config: RunConfig) -> Fabric:
    """The device and precision a configuration asks for.

    Raises:
        InputError: CUDA is asked for and not there.
    """
    device = config.runtime.device
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("runtime.device is 'cuda', but torch finds no GPU; use 'auto' or 'cpu'")
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    torch.set_num_threads(config.runtime.threads)
    return Fabric(accelerator=accelerator, devices=1, precision=config.train.precision)


def _execute(config: RunConfig, data: Data, run: RunDirectory) -> None:
    fabric = make_fabric(config)
    memory = PeakMemory(fabric.device)
    tokenizer = data.make_tokenizer(config)
    if tokenizer is not None:
        tokenizer.save(run.path / TOKENIZER)
    torch.manual_seed(derive_seed(config.seed, "weights"))
    model = build_model(config, len(data.manifest.classes), tokenizer.size if tokenizer else 0)
    objective = build(OBJECTIVES, "objective", config.objective.name, config.objective.options)
    loader = SplitLoader(
        data.dataset("train", config, tokenizer, training=True),
        data.dataset("val", config, tokenizer),
        batch_size=config.train.batch_size,
        seed=config.seed,
        workers=config.runtime.loader_workers,
    )
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
            checkpoints=_checkpoints(run),
            log=log,
            resumed=run.truncate_metrics,
        )
        net = fabric.setup(model)
        result = _evaluate(net, config, data, run, tokenizer, fabric)
        example = next(loader.val_batches()).to(fabric.device)
        costs = {
            **parameter_counts(model),
            "flops_per_clip": flops_per_clip(model, example),
            "train_seconds": progress.seconds,
            "latency_ms": latency_ms(net, example),
            "peak_memory_mb": memory.megabytes(),
        }
        result |= _provenance(config, data, run, progress) | {"costs": costs}
        run.write_result(result)
        tracker.finish(result)


@contextmanager
def _tracked(config: RunConfig, run: RunDirectory) -> Iterator[Tracker]:
    """A mirror of the run, which ends as failed if the run does, or if it is interrupted."""
    tracker = open_tracker(config, run.path, run.signature)
    try:
        yield tracker
    except BaseException:
        tracker.fail()
        raise


def _evaluate(
    net: Any, config: RunConfig, data: Data, run: RunDirectory, tokenizer: WordPieces | None, fabric: Fabric
) -> dict[str, Any]:
    """Predictions and metrics on validation and, this once, on test; and with modalities' pairing broken."""
    result: dict[str, Any] = {}
    for split in ("val", "test"):
        dataset = data.dataset(split, config, tokenizer)
        predictions = predict(net, in_batches(dataset, config.train.batch_size), fabric.device)
        run.write_predictions(split, _rows(predictions, data))
        result[split] = predictions.metrics()
    result["test_shuffled"] = None
    if len(config.modalities) > 1:
        pairs = ShuffledPairs(data.dataset("test", config, tokenizer), config.seed)
        shuffled = predict(net, in_batches(pairs, config.train.batch_size), fabric.device)
        result["test_shuffled"] = {"accuracy": shuffled.metrics()["accuracy"]}
    return result


def _rows(predictions: Predictions, data: Data) -> Iterator[dict[str, Any]]:
    clips = {clip.id: clip for clip in data.manifest.clips}
    for clip_id, scores in zip(predictions.ids, predictions.log_probabilities, strict=True):
        clip = clips[clip_id]
        yield {
            "id": clip_id,
            "group": clip.group,
            "label": clip.label,
            "present": list(data.present[clip_id]),
            "log_probabilities": [round(float(score), 6) for score in scores],
        }


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
        "train_presence": data.train_presence(),
        "failed_clips": dict(data.failed),
    }


def _checkpoints(run: RunDirectory) -> Checkpoints:
    return Checkpoints(run.path / "checkpoints")


def _load_tokenizer(run: RunDirectory, config: RunConfig) -> WordPieces | None:
    return WordPieces.load(run.path / TOKENIZER) if "text" in config.modalities else None
