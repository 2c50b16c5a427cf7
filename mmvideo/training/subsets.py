"""Predictions with only some of a model's modalities present, all from one pass over the clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from mmvideo.training.predict import Gathered, Predictions
from mmvideo.types import Batch, Prediction
from mmvideo.vocabulary import TaskKind

Subset = tuple[str, ...]


@torch.no_grad()
def predict_subsets(
    model: nn.Module,
    batches: Iterable[Batch],
    device: torch.device,
    subsets: Sequence[Subset],
    task: TaskKind = "single_label",
    watch: Callable[[Prediction], None] = lambda prediction: None,
) -> tuple[Predictions, dict[Subset, Predictions]]:
    """Predictions with everything the clips have, and with only each subset of it.

    The model is run once a batch, in evaluation mode; its encoders are shared by all subsets.

    Args:
        watch: called with all that the model gave for each batch, still on the device.
    """
    was_training = model.training
    model.eval()
    whole, parts = Gathered(task), {subset: Gathered(task) for subset in subsets}
    for batch in batches:
        prediction = model(batch.to(device), subsets)
        watch(prediction)
        whole.add(batch, prediction.logits)
        for part, logits in zip(parts.values(), prediction.subsets, strict=True):
            part.add(batch, logits)
    model.train(was_training)
    return whole.predictions(), {subset: part.predictions() for subset, part in parts.items()}
