"""A model's predictions for every clip of a loader, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mmvideo.evaluation.metrics import classification_metrics
from mmvideo.types import Batch


@dataclass(frozen=True)
class Predictions:
    """Per clip: id, label (n,), natural-log probabilities (n, C) and which modalities it had (n, M)."""

    ids: tuple[str, ...]
    labels: np.ndarray
    log_probabilities: np.ndarray
    present: np.ndarray

    def metrics(self) -> dict[str, float]:
        """All classification metrics (see mmvideo.evaluation.metrics)."""
        return classification_metrics(self.log_probabilities, self.labels)


@torch.no_grad()
def predict(model: nn.Module, batches: Iterable[Batch], device: torch.device) -> Predictions:
    """Run the model in evaluation mode over all batches; it is left in the mode it was in."""
    was_training = model.training
    model.eval()
    ids: list[str] = []
    labels, scores, present = [], [], []
    for batch in batches:
        logits = model(batch.to(device)).logits
        ids += batch.ids
        labels.append(batch.labels.numpy())
        scores.append(torch.log_softmax(logits.double(), dim=1).cpu().numpy())
        present.append(batch.present.numpy())
    model.train(was_training)
    return Predictions(tuple(ids), np.concatenate(labels), np.concatenate(scores), np.concatenate(present))
