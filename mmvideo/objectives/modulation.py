"""On-the-fly gradient modulation: the encoder of the modality that is ahead is held back."""

from __future__ import annotations

from typing import Annotated

import annotated_types as at
import torch
from jaxtyping import Float
from torch import Tensor

from mmvideo.objectives.base import Session, Setting, UnimodalObjective, encoder_parameters, mean_of_others
from mmvideo.schema import NotNegative
from mmvideo.types import Batch, Prediction


class Ogm(UnimodalObjective):
    """OGM (Peng et al., 2022, https://arxiv.org/abs/2203.15332, eq. 8-10), for any fusion.

    s_m is the mean probability that modality m alone gives the label; ρ_m = s_m over the mean of the others'
    s; the gradient of encoder m is multiplied by k_m = 1 - tanh(α ρ_m) where ρ_m > 1, else by 1.

    The paper reads s_m off a linear fusion's weights. Other fusions have no such parts, so here a linear
    probe on each clip vector gives it; probes learn beside the model and send no gradient into it. In other
    tasks, s_m is the mean of exp(-loss). With an optimiser that rescales gradients, as AdamW does, only
    changes of k_m over time act, not a constant k_m: the paper used SGD.
    """

    class Config(UnimodalObjective.Config):
        alpha: NotNegative = 0.5
        """α, strength; 0 is no modulation."""
        epochs: Annotated[int, at.Ge(0)] = 0
        """Only in the first so many epochs; 0: in all."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.alpha, self.epochs, self.epoch = config.alpha, config.epochs, 0
        self._kept: list[Tensor] = []

    def begin_epoch(self, epoch: int, session: Session) -> None:
        self.epoch = epoch
        self._kept = []

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        loss = self.joint_loss(prediction, batch)
        detached = {m: clip.detach() for m, clip in prediction.clips.items()}
        for probe in self.alone_means(detached, batch).values():
            loss = loss + (probe - probe.detach())  # their gradient, but not their value
        return loss

    def backward(self, loss: Tensor, prediction: Prediction, batch: Batch, session: Session) -> None:
        session.backward(loss)
        if not self.balanced or (self.epochs and self.epoch > self.epochs):
            return
        kept = coefficients(self._scores(prediction, batch), self.alpha)
        self._kept.append(kept)
        for modality, share in zip(self.balanced, kept, strict=True):
            for parameter in encoder_parameters(session.model, modality):
                if parameter.grad is not None:
                    self._modulate(parameter.grad, share)

    def report(self) -> dict[str, float]:
        """The mean k_m of the epoch's steps."""
        if not self._kept:
            return {}
        means = torch.stack(self._kept).mean(dim=0).tolist()
        return {f"gradient_share_{m}": mean for m, mean in zip(self.balanced, means, strict=True)}

    def _modulate(self, gradient: Tensor, share: Tensor) -> None:
        gradient.mul_(share)

    @torch.no_grad()
    def _scores(self, prediction: Prediction, batch: Batch) -> Float[Tensor, " M"]:
        """s_m over the clips that have the modality; NaN if none has."""
        losses = self.alone(prediction.clips, batch)
        return torch.stack(
            [
                torch.where(present := self.present(batch, m), torch.exp(-loss), 0.0).sum() / present.sum()
                for m, loss in losses.items()
            ]
        ).double()


class OgmGe(Ogm):
    """OGM with generalisation enhancement (same paper, eq. 11): to each gradient, Gaussian noise is added.

    As in the authors' code, its standard deviation is that of the parameter's own gradient before modulation;
    here for every trained parameter of the encoders with more than one element, not for convolutions only.
    """

    def _modulate(self, gradient: Tensor, share: Tensor) -> None:
        deviation = gradient.std() if gradient.numel() > 1 else gradient.new_zeros(())
        gradient.mul_(share).add_(torch.randn_like(gradient) * deviation)


def coefficients(scores: Float[Tensor, " M"], alpha: float) -> Float[Tensor, " M"]:
    """k_m from the modalities' scores; 1 for a modality without a score (NaN), which no other is measured
    by."""
    others, compared = mean_of_others(scores, ~scores.isnan())
    held = torch.where(others > 0, 1 - torch.tanh(alpha * scores / others), 0.0)
    return torch.where(compared & (scores > others), held, 1.0)
