"""What a training works with, in one place: the loop carries it, and objectives may look into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

from lightning_fabric import Fabric
from torch import Tensor, nn

from mmvideo.config import TrainConfig
from mmvideo.objectives.base import LossOf, Objective
from mmvideo.training.dropout import drop_modalities
from mmvideo.training.feeding import on_device
from mmvideo.training.optimization import make_optimizer, trained_parts
from mmvideo.training.processes import gathered, seed_draws, sum_gradients
from mmvideo.types import Batch


class TrainingData(Protocol):
    """What the loop trains on: batches per epoch, and nothing that leads to the test split."""

    def train_batches(self, epoch: int) -> Iterable[Batch]: ...

    def val_batches(self) -> Iterable[Batch]: ...

    @property
    def batches_per_epoch(self) -> int: ...


@dataclass(frozen=True)
class Session:
    """One training: the model (plain, and as Fabric runs it), its data, and how it is trained.

    It is what objectives see of a training (mmvideo.objectives.Session).
    """

    model: nn.Module
    net: Any
    data: TrainingData
    config: TrainConfig
    fabric: Fabric
    seed: int

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """The epoch's training batches on the device, after modality dropout."""
        rates, seed = self.config.modality_dropout, self.seed
        batches = self.data.train_batches(epoch)
        shown = (drop_modalities(batch, rates, seed, epoch) for batch in batches)
        return gathered(on_device(shown, self.fabric.device), self.fabric)

    def val_batches(self) -> Iterator[Batch]:
        """The validation batches on the device."""
        return gathered(on_device(self.data.val_batches(), self.fabric.device), self.fabric)

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        """Add the loss's gradient to that of every trained parameter."""
        if self.fabric.world_size == 1:
            self.fabric.backward(loss, retain_graph=retain_graph)
            return
        before = [(p, p.grad) for p in self.model.parameters() if p.grad is not None]
        self.model.zero_grad(set_to_none=True)
        self.fabric.backward(loss, retain_graph=retain_graph)
        sum_gradients(self.model.parameters(), self.fabric)
        for parameter, gradient in before:
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    @contextmanager
    def trial(
        self, objective: Objective, loss_of: LossOf, epochs: Iterable[int], seed: int
    ) -> Iterator[None]:
        """Within it, model and objective are as training on one loss alone leaves them; see the protocol."""
        trained = trained_parts(self.model, objective)
        kept = deepcopy(trained.state_dict())
        optimizer: Any = self.fabric.setup_optimizers(make_optimizer(trained, self.config))
        seed_draws(self.fabric, seed)
        self.net.train()
        for epoch in epochs:
            for batch in self.train_batches(epoch):
                self.backward(loss_of(self.net(batch), batch))
                self.clip(optimizer)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        try:
            yield
        finally:
            trained.load_state_dict(kept)

    def clip(self, optimizer: Any) -> Tensor:
        """Scale the model's gradients down to the configured norm; returns their norm before.

        Fabric's own clipping takes all that the optimiser trains. What an objective adds is left out here:
        the gradient of a head must not shorten the model's step.
        """
        self.fabric.strategy.precision.unscale_gradients(optimizer.optimizer)
        return nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
