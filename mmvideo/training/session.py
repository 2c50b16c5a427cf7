"""What a training works with, in one place: the loop carries it, and objectives may look into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lightning_fabric import Fabric
from torch import Tensor, nn

from mmvideo.config import TrainConfig
from mmvideo.training.dropout import drop_modalities
from mmvideo.types import Batch


class TrainingData(Protocol):
    """What the loop trains on: batches per epoch, and nothing that leads to the test split."""

    def train_batches(self, epoch: int) -> Iterable[Batch]: ...

    def val_batches(self) -> Iterable[Batch]: ...

    @property
    def steps_per_epoch(self) -> int: ...


@dataclass(frozen=True)
class Session:
    """One training: the model (plain, and as Fabric runs it), its data, and how it is trained."""

    model: nn.Module
    net: Any
    data: TrainingData
    config: TrainConfig
    fabric: Fabric
    seed: int

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """The epoch's training batches on the device, after modality dropout."""
        for batch in self.data.train_batches(epoch):
            shown = drop_modalities(batch, self.config.modality_dropout, self.seed, epoch)
            yield shown.to(self.fabric.device)

    def clip(self, optimizer: Any) -> Tensor:
        """Scale the model's gradients down to the configured norm; returns their norm before.

        Fabric's own clipping takes all that the optimiser trains. What an objective adds is left out here:
        the gradient of a head must not shorten the model's step.
        """
        self.fabric.strategy.precision.unscale_gradients(optimizer.optimizer)
        return nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
