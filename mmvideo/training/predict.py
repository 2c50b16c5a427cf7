"""A model's predictions for every clip of a loader, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.errors import TrainingError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.evaluation.views import first_views, mean_over_views
from mmvideo.types import Batch
from mmvideo.vocabulary import TaskKind


@dataclass(frozen=True)
class Predictions:
    """Per clip: id, label and outputs (n, C).

    Labels and outputs are the task's (see mmvideo.evaluation.tasks): class indices and natural-log
    probabilities; 0 or 1 and logits per class; or a number and the value predicted for it, C = 1.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    outputs: np.ndarray
    task: TaskKind = "single_label"

    def refuse_nan(self) -> None:
        """The likeliest of classes that are no numbers would be the first, and counted.

        Raises:
            TrainingError: outputs that are no numbers; the message names a clip.
        """
        lost = np.isnan(self.outputs).any(axis=1)
        if lost.any():
            raise TrainingError(
                f"The model's outputs are no numbers (NaN) for {lost.sum()} of {len(lost)} clips, such as "
                f"{self.ids[int(lost.argmax())]}, so they have no score. Look at that clip with `mmvideo "
                "inspect`; in train.precision 32-true outputs do not overflow."
            )

    def metrics(self) -> dict[str, float]:
        """All metrics of the task."""
        return TASKS[self.task].metrics(self.outputs, self.labels)


class Gathered:
    """Outputs of batch after batch, until all clips have theirs."""

    def __init__(self, task: TaskKind) -> None:
        self.task = task
        self.ids: list[str] = []
        self.labels: list[np.ndarray] = []
        self.outputs: list[np.ndarray] = []

    def add(self, batch: Batch, logits: Tensor) -> None:
        self.ids += batch.ids
        self.labels.append(batch.labels.cpu().numpy())
        self.outputs.append(as_outputs(logits, self.task))

    def predictions(self) -> Predictions:
        """Rows of one id that follow each other are views of one clip, and are averaged."""
        starts, outputs = first_views(self.ids), np.concatenate(self.outputs)
        if len(starts) < len(self.ids):
            outputs = mean_over_views(outputs, starts, self.task)
        labels = np.concatenate(self.labels)[starts]
        return Predictions(tuple(self.ids[i] for i in starts), labels, outputs, self.task)


@torch.no_grad()
def predict(
    model: nn.Module, batches: Iterable[Batch], device: torch.device, task: TaskKind = "single_label"
) -> Predictions:
    """Run the model in evaluation mode over all batches; it is left in the mode it was in."""
    was_training = model.training
    model.eval()
    gathered = Gathered(task)
    for batch in batches:
        gathered.add(batch, model(batch.to(device)).logits)
    model.train(was_training)
    return gathered.predictions()


def as_outputs(logits: Tensor, task: TaskKind) -> np.ndarray:
    """What a model's head gave as a task's metrics take it: log-probabilities for single labels."""
    values = logits.detach().double()
    return (torch.log_softmax(values, dim=1) if task == "single_label" else values).cpu().numpy()
