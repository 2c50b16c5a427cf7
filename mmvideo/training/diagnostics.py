"""What training does to each modality: gradients of the parts, and how far each modality gets on its own.

A joint model may lean on the modality that is learnt first, and stop learning the others (Wang et al., 2020,
https://arxiv.org/abs/1905.12681; Peng et al., 2022, https://arxiv.org/abs/2203.15332). These are the curves
in which one sees it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from mmvideo.evaluation.tasks import TASKS
from mmvideo.model import FusionModel
from mmvideo.training.predict import Predictions
from mmvideo.training.session import Session
from mmvideo.training.subsets import predict_subsets
from mmvideo.types import Batch
from mmvideo.vocabulary import TaskKind


def diagnoses(session: Session) -> bool:
    """Whether they are asked for, and the model has the parts they tell of."""
    return session.config.diagnostics and isinstance(session.model, FusionModel)


class GradientNorms:
    """Mean over an epoch's steps of the gradient's norm, for each encoder, and for fusion and head together.

    They are the norms before clipping, of what the optimiser follows otherwise.
    """

    def __init__(self, session: Session) -> None:
        model = session.model
        assert isinstance(model, FusionModel)
        parts = {name: list(encoder.parameters()) for name, encoder in model.encoders.items()}
        parts["fusion"] = [*model.fusion.parameters(), *model.head.parameters()]
        self.parts = {name: [p for p in part if p.requires_grad] for name, part in parts.items()}
        self.clip_norm = session.config.clip_norm
        self.totals: list[Tensor] = []

    def add(self, total: Tensor) -> None:
        """Take in the gradients as they are after clipping; `total` was their norm before it."""
        norms = []
        for parameters in self.parts.values():
            gradients = [p.grad for p in parameters if p.grad is not None]
            norms.append(torch.nn.utils.get_total_norm(gradients))
        # clipping divides all gradients by this, so it is undone on the norms
        self.totals.append(torch.stack(norms) * (total / self.clip_norm).clamp(min=1))

    def means(self) -> dict[str, float]:
        """`gradient_norm_<part>` since the last call."""
        values = torch.stack(self.totals).double().mean(dim=0).tolist()
        self.totals = []
        return {f"gradient_norm_{name}": value for name, value in zip(self.parts, values, strict=True)}


def validate_alone(
    session: Session, batches: Iterable[Batch], task: TaskKind
) -> tuple[Predictions, dict[str, float]]:
    """Validation, and the task's primary metric with only each modality present: `accuracy_only_<modality>`.

    A clip that has not got the modality is predicted from the training split's labels alone.
    """
    assert isinstance(session.model, FusionModel)
    alone = [(m,) for m in session.model.encoders]
    score = TASKS[task].score
    whole, parts = predict_subsets(session.net, batches, session.fabric.device, alone, task)
    return whole, {f"{score}_only_{m}": parts[(m,)].metrics()[score] for (m,) in alone}
