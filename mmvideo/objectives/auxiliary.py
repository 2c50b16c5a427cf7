"""Unimodal heads trained beside the model, so that every encoder has a gradient of its own."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from mmvideo.objectives.base import Setting, UnimodalObjective
from mmvideo.schema import NotNegative
from mmvideo.types import Batch, Prediction


class UnimodalAuxiliary(UnimodalObjective):
    """L = L_joint + weight · Σ_m L_m, where L_m is the loss of a linear head on modality m's clip vector.

    The multi-task baseline of Wang et al. (2020, https://arxiv.org/abs/1905.12681) and of later work on
    imbalance. L_m is averaged over the clips that have the modality.
    """

    class Config(UnimodalObjective.Config):
        weight: NotNegative = 1.0
        """Of every unimodal loss."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.weight = config.weight

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        loss = self.joint_loss(prediction, batch)
        for alone in self.alone_means(prediction.clips, batch).values():
            loss = loss + self.weight * alone
        return loss
