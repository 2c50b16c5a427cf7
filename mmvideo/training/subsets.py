"""Predictions with only some of a model's modalities present, all from one pass over the clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from mmvideo.training.predict import Predictions, predict
from mmvideo.types import Batch, Prediction, Tokens
from mmvideo.vocabulary import TaskKind

Subset = tuple[str, ...]


def all_subsets(modalities: Sequence[str]) -> list[Subset]:
    """Every subset, from none to all of them: 2^M."""
    return [s for size in range(len(modalities) + 1) for s in combinations(modalities, size)]


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
    asked, whole, parts = [], [], []
    with torch.no_grad():
        for batch in batches:
            prediction = model(batch.to(device), subsets)
            watch(prediction)
            asked.append(_without_values(batch))
            whole.append(prediction.logits.cpu())
            parts.append([logits.cpu() for logits in prediction.subsets])
    model.train(was_training)
    cpu = torch.device("cpu")
    alternatives = {}
    for number, subset in enumerate(subsets):
        known = _Known([logits[number] for logits in parts])
        alternatives[subset] = predict(known, (batch.only(subset) for batch in asked), cpu, task)
    return predict(_Known(whole), asked, cpu, task), alternatives


class _Known(nn.Module):
    """A model whose outputs are known, batch by batch."""

    def __init__(self, outputs: list[Tensor]) -> None:
        super().__init__()
        self.outputs = iter(outputs)

    def forward(self, batch: Batch) -> Prediction:
        return Prediction(next(self.outputs), {})


def _without_values(batch: Batch) -> Batch:
    """The batch's ids, labels and masks; its frames and sounds would fill the memory."""
    inputs = {m: Tokens(t.mask, t.mask, t.time) for m, t in batch.inputs.items()}
    return Batch(batch.ids, inputs, batch.labels)
