"""What training minimises, independent of the fusion."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.model import Prediction
from mmvideo.types import Batch
from mmvideo.words import InputError


class CrossEntropy(nn.Module):
    """Mean cross-entropy in nats, with label smoothing (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567)."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise InputError(
                f"objective 'cross_entropy': label_smoothing must be in [0, 1), got {label_smoothing}"
            )
        self.label_smoothing = label_smoothing

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        return F.cross_entropy(prediction.logits.float(), batch.labels, label_smoothing=self.label_smoothing)
