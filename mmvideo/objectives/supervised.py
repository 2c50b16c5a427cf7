"""Losses of the model's outputs alone: cross-entropy, focal."""

from __future__ import annotations

from typing import Annotated, Literal

import annotated_types as at
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mmvideo.errors import InputError
from mmvideo.objectives.base import Objective, Setting
from mmvideo.schema import NotNegative
from mmvideo.types import Batch, Prediction


class CrossEntropy(Objective):
    """The task's plain loss: mean cross-entropy in nats (multi-label: binary; regression: absolute error)."""

    weights: Tensor | None

    class Config(Objective.Config):
        label_smoothing: Annotated[float, at.Ge(0), at.Lt(1)] = 0.0
        """Share of the target spread evenly over all classes (Szegedy et al., 2016,
        https://arxiv.org/abs/1512.00567). Single-label only."""
        class_weights: Literal["none", "balanced"] = "none"
        """`balanced` weighs clips by n / (C · n_class) of the training split (King & Zeng, 2001,
        https://doi.org/10.1093/oxfordjournals.pan.a004868), normalised over the batch. Single-label only."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        if setting.task != "single_label" and config != CrossEntropy.Config():
            raise InputError(
                "objective 'cross_entropy': label_smoothing and class_weights are for the task "
                f"'single_label', not '{setting.task}'; leave them out"
            )
        self.label_smoothing = config.label_smoothing
        balanced = _balanced(setting.class_counts) if config.class_weights == "balanced" else None
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
    """

    class Config(Objective.Config):
        gamma: NotNegative = 2.0
        """γ; 0 is cross-entropy."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        if setting.task == "regression":
            raise InputError("objective 'focal' is for classes; for a regression use 'cross_entropy'")
        self.gamma = config.gamma

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
