"""Losses of the model's outputs alone: cross-entropy, focal."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mmvideo.errors import InputError, unknown
from mmvideo.model import Prediction
from mmvideo.training.objectives.base import Objective, Setting
from mmvideo.types import Batch

ClassWeights = Literal["none", "balanced"]


class CrossEntropy(Objective):
    """The task's plain loss: mean cross-entropy in nats (multi-label: binary; regression: absolute error).

    Args:
        label_smoothing: share of the target spread evenly over all classes (Szegedy et al., 2016,
            https://arxiv.org/abs/1512.00567). Single-label only.
        class_weights: `balanced` weighs clips by n / (C · n_class) of the training split (King & Zeng, 2001,
            https://doi.org/10.1093/oxfordjournals.pan.a004868), normalised over the batch. Single-label only.
    """

    weights: Tensor | None

    def __init__(
        self, setting: Setting, label_smoothing: float = 0.0, class_weights: ClassWeights = "none"
    ) -> None:
        super().__init__(setting)
        if not 0 <= label_smoothing < 1:
            raise InputError(
                f"objective 'cross_entropy': label_smoothing must be in [0, 1), got {label_smoothing}"
            )
        if class_weights not in get_args(ClassWeights):
            raise unknown("class_weights of objective 'cross_entropy'", class_weights, get_args(ClassWeights))
        if setting.task != "single_label" and (label_smoothing or class_weights != "none"):
            raise InputError(
                "objective 'cross_entropy': label_smoothing and class_weights are for the task "
                f"'single_label', not '{setting.task}'; leave them out"
            )
        self.label_smoothing = label_smoothing
        balanced = _balanced(setting.class_counts) if class_weights == "balanced" else None
        self.register_buffer("weights", balanced, persistent=False)

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        if self.setting.task != "single_label":
            return self.clip_loss(prediction.logits, batch.labels).mean()
        return F.cross_entropy(
            prediction.logits.float(), batch.labels, self.weights, label_smoothing=self.label_smoothing
        )


class Focal(Objective):
    """Mean of (1 - p)^γ · -log p, p the probability given to the truth (Lin et al., 2017,
    https://arxiv.org/abs/1708.02002): clips that are easy already count less.

    In the multi-label task, the mean over all classes' yes or no, as in the paper; single-label, p is the
    softmax's.

    Args:
        gamma: γ; 0 is cross-entropy.
    """

    def __init__(self, setting: Setting, gamma: float = 2.0) -> None:
        super().__init__(setting)
        if gamma < 0:
            raise InputError(f"objective 'focal': gamma must be 0 or more, got {gamma}")
        if setting.task == "regression":
            raise InputError("objective 'focal' is for classes; for a regression use 'cross_entropy'")
        self.gamma = gamma

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        logits = prediction.logits.float()
        if self.setting.task == "multi_label":
            losses = F.binary_cross_entropy_with_logits(logits, batch.labels.float(), reduction="none")
        else:
            losses = F.cross_entropy(logits, batch.labels, reduction="none")
        # 1 - p without cancellation; clamped, since for γ < 1 the slope of the power at 0 is infinite
        wrong = (-torch.expm1(-losses)).clamp(min=1e-12)
        return (wrong**self.gamma * losses).mean()


def _balanced(counts: tuple[int, ...]) -> Float[Tensor, " C"]:
    seen = torch.tensor(counts, dtype=torch.float64)
    # a class without training clips never is a label here; it is given the weight of one clip
    return (seen.sum() / (len(counts) * seen.clamp(min=1))).float()
