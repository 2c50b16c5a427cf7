"""Gradient-Blend: losses weighted by how much they generalise for how much they overfit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import annotated_types as at
import torch
from jaxtyping import Float
from torch import Tensor

from mmvideo.objectives.base import Session, Setting, UnimodalObjective
from mmvideo.schema import Positive
from mmvideo.seeding import derive_seed
from mmvideo.types import Batch, Prediction

LEAST_OVERFITTING = (
    0.01  # nats; smaller changes of the gap are noise, and their square would rule the weights
)


class GradientBlend(UnimodalObjective):
    """Gradient-Blend (Wang et al., 2020, https://arxiv.org/abs/1905.12681, Algorithms 1 and 2).

    L = Σ_k w_k L_k over the joint loss and one unimodal loss a modality (a linear head on its clip vector).
    To estimate the weights, each L_k in turn is trained alone, from where training stands, for some epochs at
    the full learning rate, and all is put back. With G_k how far its validation loss fell, and O_k how much
    the gap between validation and training loss grew, w_k ∝ max(G_k, 0) / O_k²; all equal if none fell.
    |O_k| counts as at least 0.01.

    The weights come from the validation split, as the choice of the epoch does; test is never seen. An
    estimation of n epochs over M modalities costs (M+1) · n epochs, which are part of the training time.
    """

    weights: Tensor

    class Config(UnimodalObjective.Config):
        estimation_epochs: Positive = 2
        """n, epochs that each loss is trained on its own for an estimation."""
        every: Annotated[int, at.Ge(0)] = 0
        """Estimate again after so many epochs (the paper's online variant, by super-epoch); 0: once, before
        the first (its offline variant)."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.estimation_epochs, self.every = config.estimation_epochs, config.every
        self.parts = (*self.balanced, "joint")
        self.register_buffer("weights", torch.full((len(self.parts),), 1 / len(self.parts)))

    def losses(self, prediction: Prediction, batch: Batch) -> Float[Tensor, " K"]:
        """The unimodal losses in the order of the modalities, then the joint one."""
        alone = self.alone_means(prediction.clips, batch)
        return torch.stack([*alone.values(), self.joint_loss(prediction, batch)])

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        return self.weights @ self.losses(prediction, batch)

    def report(self) -> dict[str, float]:
        """The weights in use."""
        return {f"loss_weight_{part}": w for part, w in zip(self.parts, self.weights.tolist(), strict=True)}

    def begin_epoch(self, epoch: int, session: Session) -> None:
        due = epoch == 1 or (self.every and (epoch - 1) % self.every == 0)
        if self.balanced and due:
            before = self._measure(session, epoch)
            after = [self._trial(session, epoch, part) for part in range(len(self.parts))]
            self.weights.copy_(blend(before, torch.stack(after, dim=1)))

    def _trial(self, session: Session, epoch: int, part: int) -> Float[Tensor, " 2"]:
        """Train on one loss alone; its training and validation value afterwards. Everything is put back."""
        epochs = range(epoch, epoch + self.estimation_epochs)
        seed = derive_seed(session.seed, "gradient_blend", epoch, part)
        with session.trial(self, lambda p, batch: self.losses(p, batch)[part], epochs, seed):
            return self._measure(session, epoch)[:, part]

    @torch.no_grad()
    def _measure(self, session: Session, epoch: int) -> Float[Tensor, "2 K"]:
        """Every loss on the training and on the validation split, in evaluation mode."""
        session.net.eval()
        splits: tuple[Iterable[Batch], ...] = (session.train_batches(epoch), session.val_batches())
        means = []
        for batches in splits:
            total, seen = torch.zeros_like(self.weights), 0
            for batch in batches:
                total += self.losses(session.net(batch), batch) * len(batch)
                seen += len(batch)
            means.append(total / seen)
        return torch.stack(means)


def blend(before: Float[Tensor, "2 K"], after: Float[Tensor, "2 K"]) -> Float[Tensor, " K"]:
    """Weights from training (row 0) and validation (row 1) losses before and after each was trained alone."""
    gain = (before[1] - after[1]).clamp(min=0)
    overfitting = (after[1] - after[0]) - (before[1] - before[0])
    ratio = gain / overfitting.abs().clamp(min=LEAST_OVERFITTING) ** 2
    usable = torch.isfinite(ratio) & (ratio > 0)
    if not usable.any():
        return torch.full_like(ratio, 1 / len(ratio))
    ratio = torch.where(usable, ratio, torch.zeros_like(ratio))
    return ratio / ratio.sum()
