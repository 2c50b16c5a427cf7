"""The contract every objective keeps, and unimodal heads, which several of them train beside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.objectives.losses import ClipLoss, per_clip_loss
from mmvideo.schema import Part
from mmvideo.types import Batch, Prediction
from mmvideo.vocabulary import Level, TaskKind


@dataclass(frozen=True)
class Setting:
    """What an objective is told of the run.

    Args:
        modalities: the model's, in order.
        width: D of the clip vectors.
        outputs: C, the model's outputs for a clip.
        class_counts: training clips per class, (C,); empty in a regression.
    """

    modalities: tuple[str, ...]
    width: int
    outputs: int
    task: TaskKind = "single_label"
    class_counts: tuple[int, ...] = ()


LossOf = Callable[[Prediction, Batch], Float[Tensor, ""]]


class Session(Protocol):
    """What an objective may ask of the training that minimises it."""

    @property
    def model(self) -> nn.Module:
        """The model, as it is saved."""

    @property
    def net(self) -> Any:
        """The same model as it is run: called with a batch, it gives a Prediction."""

    @property
    def seed(self) -> int: ...

    def train_batches(self, epoch: int) -> Iterable[Batch]:
        """The epoch's training batches on the device."""

    def val_batches(self) -> Iterable[Batch]:
        """The validation batches on the device."""

    def backward(self, loss: Tensor, *, retain_graph: bool = False) -> None:
        """Add the loss's gradient to that of every trained parameter."""

    def trial(
        self, objective: Objective, loss_of: LossOf, epochs: Iterable[int], seed: int
    ) -> AbstractContextManager[None]:
        """Within it, model and objective are as training them on one loss alone leaves them, from where they
        stand, at the full learning rate; afterwards they are as before.

        Args:
            loss_of: the loss.
            epochs: whose training batches to train on, one after the other.
            seed: of torch's global generator.
        """


class Objective(nn.Module):
    """A loss of the model's predictions, and whatever else it takes to minimise it.

    An objective may have parameters, which are trained, and buffers; both are in every checkpoint to resume
    from, and neither is part of the model that is evaluated. It draws random numbers from torch's global
    generator only, which the loop seeds every epoch. Its options are the fields of its own `Config`.
    """

    reads: ClassVar[frozenset[Level]] = frozenset()
    """Levels that encoders build for the objective, whether or not the fusion reads them."""

    class Config(Part):
        """What a configuration may choose of an objective."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__()
        self.config, self.setting = config, setting
        self.clip_loss: ClipLoss = per_clip_loss(setting.task)

    @property
    def subsets(self) -> tuple[tuple[str, ...], ...]:
        """Sets of modalities for which training also asks the model (`Prediction.subsets`)."""
        return ()

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        """The loss of a batch."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def begin_epoch(self, epoch: int, session: Session) -> None:
        """Called before an epoch, counted from 1; not again when training resumes within the run's epochs."""

    def backward(self, loss: Tensor, prediction: Prediction, batch: Batch, session: Session) -> None:
        """Leave in every trained parameter the gradient that the optimiser is to follow."""
        session.backward(loss)

    def report(self) -> dict[str, float]:
        """Values for the epoch's record in metrics.jsonl."""
        return {}


class UnimodalObjective(Objective):
    """An objective with a linear head on every modality's clip vector.

    With a single modality there is nothing to balance: there are no heads, and the loss is the plain one.
    """

    reads = frozenset({"clip"})

    def __init__(self, config: Objective.Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.balanced = setting.modalities if len(setting.modalities) > 1 else ()
        self.heads = nn.ModuleDict({m: nn.Linear(setting.width, setting.outputs) for m in self.balanced})

    def joint_loss(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        """The mean loss of the model's own outputs."""
        return self.clip_loss(prediction.logits, batch.labels).mean()

    def alone(self, clips: Mapping[str, Tensor], batch: Batch) -> dict[str, Float[Tensor, " B"]]:
        """Each modality's head's loss for every clip; 0 where a clip has not got the modality."""
        losses = {m: self.clip_loss(self.heads[m](clips[m]), batch.labels) for m in self.balanced}
        return {m: loss * self.present(batch, m) for m, loss in losses.items()}

    def alone_means(self, clips: Mapping[str, Tensor], batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The same, averaged over the clips that have the modality; 0 if none has."""
        losses = self.alone(clips, batch)
        return {m: loss.sum() / self.present(batch, m).sum().clamp(min=1) for m, loss in losses.items()}

    @staticmethod
    def present(batch: Batch, modality: str) -> Bool[Tensor, " B"]:
        return batch.inputs[modality].mask.any(dim=1)


def encoder_parameters(model: nn.Module, modality: str) -> list[nn.Parameter]:
    """The trained parameters of one modality's encoder."""
    encoder = model.get_submodule(f"encoders.{modality}")
    return [p for p in encoder.parameters() if p.requires_grad]


def mean_of_others(
    values: Float[Tensor, " M"], known: Bool[Tensor, " M"]
) -> tuple[Float[Tensor, " M"], Bool[Tensor, " M"]]:
    """For each value the mean of the others that are known, 0 if none is; and whether it and another are.

    Values stay on their device, in double precision.
    """
    others = known.double() * (1 - torch.eye(len(values), dtype=torch.double, device=values.device))
    count = others.sum(dim=1)
    total = others @ torch.where(known, values.double(), 0.0)
    return total / count.clamp(min=1), known & (count > 0)


def joined(gradients: list[Tensor]) -> Float[Tensor, " n"]:
    """Gradients as one vector."""
    return torch.cat([g.flatten() for g in gradients])
