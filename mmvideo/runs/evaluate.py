"""A trained model on whole splits: the record of a run that ends, or a finished run measured again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from mmvideo.data.run_data import RunData
from mmvideo.errors import unknown
from mmvideo.evaluation.contribution import subsets_of
from mmvideo.evaluation.tasks import TASKS
from mmvideo.records import Prediction
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.finished import Finished
from mmvideo.training.predict import Predictions, predict
from mmvideo.training.processes import gathered, share_of
from mmvideo.training.subsets import Subset, predict_subsets
from mmvideo.vocabulary import Split, presence_pattern


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
        InputError: not a finished run, one whose files, own data or weights that it names are not what it was
            made with, other classes than the run's, or a modality that the run does not have.
    """
    for modality in modalities or ():
        if modality not in (known := RunDirectory(path).config.modalities):
            raise unknown(f"modality of the run {path.name}", modality, known)
    finished = Finished.open(path, manifest)
    data, device = finished.data, finished.fabric.device
    batches = data.evaluated(split)
    shown = (batch if modalities is None else batch.only(modalities) for batch in batches)
    metrics = predict(finished.fabric.setup(finished.model), shown, device, data.task).metrics()
    if (
        manifest is None
        and split == "test"
        and (modalities is None or set(modalities) == set(data.config.modalities))
    ):
        finished.compare_with_record(metrics)
    return metrics


def evaluate_splits(net: Any, data: RunData, run: RunDirectory, fabric: Fabric) -> dict[str, Any]:
    """Predictions and metrics on validation and, this once, on test; on test also with every subset of the
    modalities, and with modalities permuted among clips.

    Predictions are written to the run's directory; the rest is returned, for its result.
    """
    config, result, share = data.config, dict[str, Any](), share_of(fabric)
    score = TASKS[data.task].score
    parts: dict[Split, list[Subset]] = {"val": [], "test": subsets_of(config.modalities)[:-1]}
    for split, subsets in parts.items():
        batches = gathered(data.evaluated(split, share=share), fabric)
        predictions, restricted = predict_subsets(net, batches, fabric.device, subsets, data.task)
        predictions.refuse_nan()
        if fabric.is_global_zero:
            run.write_predictions(split, _rows(predictions, data))
        result[split] = predictions.metrics()
    by_subset = {subset: part.metrics() for subset, part in restricted.items()}
    by_subset[config.modalities] = result["test"]
    result["test_subsets"] = {presence_pattern(s): {score: m[score]} for s, m in by_subset.items()}
    result["test_permuted"] = None
    if len(config.modalities) > 1:
        batches = gathered(data.evaluated("test", permuted=True, share=share), fabric)
        found = predict(net, batches, fabric.device, data.task)
        result["test_permuted"] = {score: found.metrics()[score]}
    return result


def _rows(predictions: Predictions, data: RunData) -> Iterator[Prediction]:
    clips = {clip.id: clip for clip in data.source.clips}
    key = TASKS[predictions.task].outputs
    for clip_id, outputs in zip(predictions.ids, predictions.outputs, strict=True):
        clip = clips[clip_id]
        rounded = tuple(round(float(output), 6) for output in outputs)
        given: dict[str, Any] = {"id": clip_id, "group": clip.group, "label": clip.label, key: rounded}
        yield Prediction(present=data.present(clip), **given)
