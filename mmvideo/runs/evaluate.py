"""A trained model on whole splits: the record of a run that ends, or a finished run measured again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from mmvideo.config import RunConfig
from mmvideo.data.dataset import ClipDataset, ShuffledPairs
from mmvideo.data.features import check_widths, load_inputs
from mmvideo.data.loading import in_batches
from mmvideo.data.run_data import Data, open_data
from mmvideo.data.tokenizer import WordPieces
from mmvideo.errors import InputError, unknown
from mmvideo.evaluation.tasks import TASKS
from mmvideo.records import FEATURES, Prediction
from mmvideo.runs.assembly import checkpoints, load_tokenizer, make_fabric, trained_model
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import check_data
from mmvideo.training.predict import Predictions, predict
from mmvideo.training.subsets import Subset, all_subsets, pattern, predict_subsets
from mmvideo.types import Batch
from mmvideo.vocabulary import Split


def evaluate_run(
    path: Path,
    *,
    manifest: str | None = None,
    split: Split = "test",
    modalities: Sequence[str] | None = None,
) -> dict[str, float]:
    """A finished run's metrics on a split of its own manifest, or of another one with the same classes.

    Args:
        modalities: of the run's; any others are taken from the clips. None: all.

    Raises:
        InputError: not a finished run, one whose files or own data are not what it was made with, other
            classes than the run's, or a modality that the run does not have.
    """
    run = RunDirectory(path)
    result = run.result()
    config = run.config
    if manifest is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"manifest": manifest})})
    data = open_data(config.data, progress=True).for_run(config)
    if manifest is None:
        check_data(result, data.manifest, config.data.manifest, data.fingerprint)
    if data.manifest.classes != result.classes:
        raise InputError(
            f"{config.data.manifest} has the classes {data.manifest.classes}; "
            f"the run at {path} knows {result.classes}"
        )
    for modality in modalities or ():
        if modality not in config.modalities:
            raise unknown(f"modality of the run {path.name}", modality, config.modalities)
    tokenizer = load_tokenizer(run)
    features = load_inputs(run.path / FEATURES)
    check_widths(features, data.features)
    fabric = make_fabric(config)
    model = trained_model(config, data, tokenizer, features)
    checkpoints(run).load_best(model)
    model.deploy()
    batches = _batches(data.dataset(split, config, tokenizer, views=True), config)
    shown = (batch if modalities is None else batch.only(modalities) for batch in batches)
    return predict(fabric.setup(model), shown, fabric.device, data.task).metrics()


def evaluate_splits(
    net: Any, config: RunConfig, data: Data, run: RunDirectory, tokenizer: WordPieces | None, fabric: Fabric
) -> dict[str, Any]:
    """Predictions and metrics on validation and, this once, on test; on test also with every subset of the
    modalities, and with modalities' pairing broken.

    Predictions are written to the run's directory; the rest is returned, for its result.
    """
    result: dict[str, Any] = {}
    score = TASKS[data.task].score
    parts: dict[Split, list[Subset]] = {"val": [], "test": all_subsets(config.modalities)[:-1]}
    for split, subsets in parts.items():
        batches = _batches(data.dataset(split, config, tokenizer, views=True), config)
        predictions, restricted = predict_subsets(net, batches, fabric.device, subsets, data.task)
        run.write_predictions(split, _rows(predictions, data))
        result[split] = predictions.metrics()
    by_subset = {subset: part.metrics() for subset, part in restricted.items()}
    by_subset[config.modalities] = result["test"]
    result["test_subsets"] = {pattern(s): {score: metrics[score]} for s, metrics in by_subset.items()}
    result["test_permuted"] = None
    if len(config.modalities) > 1:
        pairs = ShuffledPairs(data.dataset("test", config, tokenizer, views=True), config.seed)
        permuted = predict(net, _batches(pairs, config), fabric.device, data.task)
        result["test_permuted"] = {score: permuted.metrics()[score]}
    return result


def _batches(clips: ClipDataset | ShuffledPairs, config: RunConfig) -> Iterator[Batch]:
    return in_batches(clips, config.train.batch_size, pad_to=config.train.pad_to)


def _rows(predictions: Predictions, data: Data) -> Iterator[Prediction]:
    clips = {clip.id: clip for clip in data.manifest.clips}
    key = TASKS[predictions.task].outputs
    for clip_id, outputs in zip(predictions.ids, predictions.outputs, strict=True):
        clip = clips[clip_id]
        rounded = tuple(round(float(output), 6) for output in outputs)
        given: dict[str, Any] = {"id": clip_id, "group": clip.group, "label": clip.label, key: rounded}
        yield Prediction(present=tuple(data.present[clip_id]), **given)
