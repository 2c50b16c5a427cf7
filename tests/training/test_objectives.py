"""Objectives against their formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmvideo.model import Prediction
from mmvideo.registry import OBJECTIVES, build
from mmvideo.training.objectives import CrossEntropy
from mmvideo.types import Batch
from mmvideo.words import InputError

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.0, 3.0]])
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_cross_entropy(smoothing: float) -> None:
    loss = CrossEntropy(smoothing)(Prediction(LOGITS, {}), Batch(("a", "b"), {}, LABELS))
    logits = LOGITS.double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    target = np.eye(3)[LABELS.numpy()] * (1 - smoothing) + smoothing / 3
    assert loss.item() == pytest.approx(float(-(target * log_p).sum(axis=1).mean()), rel=1e-6)


def test_half_precision_logits_are_summed_in_full() -> None:
    loss = CrossEntropy()(Prediction(LOGITS.bfloat16(), {}), Batch(("a", "b"), {}, LABELS))
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_refused(smoothing: float) -> None:
    with pytest.raises(InputError, match=rf"label_smoothing must be in \[0, 1\), got {smoothing}"):
        build(OBJECTIVES, "objective", "cross_entropy", {"label_smoothing": smoothing})
