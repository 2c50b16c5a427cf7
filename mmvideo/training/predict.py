"""A model's predictions for every clip of a loader, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.evaluation.tasks import TASKS
from mmvideo.evaluation.views import first_views, mean_over_views
from mmvideo.types import Batch
from mmvideo.vocabulary import TaskKind


@dataclass(frozen=True)
class Predictions:
    """Per clip: id, label, outputs (n, C) and which modalities it had (n, M).

    Labels and outputs are the task's (see mmvideo.evaluation.tasks): class indices and natural-log
    probabilities; 0 or 1 and logits per class; or a number and the value predicted for it, C = 1.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    outputs: np.ndarray
    present: np.ndarray
    task: TaskKind = "single_label"

    def metrics(self) -> dict[str, float]:
        """All metrics of the task."""
        return TASKS[self.task].metrics(self.outputs, self.labels)


@torch.no_grad()
def predict(
    model: nn.Module, batches: Iterable[Batch], device: torch.device, task: TaskKind = "single_label"
) -> Predictions:
    """Run the model in evaluation mode over all batches; it is left in the mode it was in.

    Rows of one id that follow each other are views of one clip, and are averaged.
    """
    was_training = model.training
    model.eval()
    ids: list[str] = []
    labels, outputs, present = [], [], []
    for batch in batches:
        logits = model(batch.to(device)).logits
        ids += batch.ids
        labels.append(batch.labels.cpu().numpy())
        outputs.append(as_outputs(logits, task))
        present.append(batch.present.cpu().numpy())
    model.train(was_training)
    label, output, had = (np.concatenate(parts) for parts in (labels, outputs, present))
    starts = first_views(ids)
    if len(starts) < len(ids):
        output, had = mean_over_views(output, starts, task), np.logical_or.reduceat(had, starts, axis=0)
    return Predictions(tuple(ids[i] for i in starts), label[starts], output, had, task)


def as_outputs(logits: Tensor, task: TaskKind) -> np.ndarray:
    """What a model's head gave as a task's metrics take it: log-probabilities for single labels."""
    values = logits.detach().double()
    return (torch.log_softmax(values, dim=1) if task == "single_label" else values).cpu().numpy()
