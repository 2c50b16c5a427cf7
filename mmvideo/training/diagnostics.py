"""What training does to each modality: gradients of the parts, how far each modality gets on its own, and
what the fusion reports of itself.

A joint model may lean on the modality that is learnt first, and stop learning the others (Wang et al., 2020,
https://arxiv.org/abs/1905.12681; Peng et al., 2022, https://arxiv.org/abs/2203.15332). These are the curves
in which one sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from mmvideo.evaluation.tasks import TASKS
from mmvideo.model import FusionModel
from mmvideo.training.predict import Predictions
from mmvideo.training.session import Session
from mmvideo.training.subsets import predict_subsets
from mmvideo.types import Batch, Prediction
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
            norms.append(torch.nn.utils.get_total_norm(gradients).to(total.device))  # of none: 0 on the CPU
        # clipping divides all gradients by this, so it is undone on the norms
        self.totals.append(torch.stack(norms) * (total / self.clip_norm).clamp(min=1))

    def means(self) -> dict[str, float]:
        """`gradient_norm_<part>` since the last call."""
        values = torch.stack(self.totals).double().mean(dim=0).tolist()
        self.totals = []
        return {f"gradient_norm_{name}": value for name, value in zip(self.parts, values, strict=True)}


class FusionMeans:
    """Means over clips of what a fusion reports of itself: numbers a clip, in columns (`FusionOutput`).

    A diagnostic with a column for each modality is logged as `gates_<modality>`; of experts, the joint one
    before them, as `expert_weights_joint` and so on; of pairs of modalities, `pair_share_<a>+<b>`; any other
    by number. Weights of a fusion's tokens or steps are not logged, nor is what differs in columns between
    batches.
    """

    def __init__(self, modalities: Sequence[str]) -> None:
        self.modalities = tuple(modalities)
        self.per_token = ("token_weights", "step_weights")
        self.sums: dict[str, list[Tensor]] = {}
        self.clips = 0

    def add(self, prediction: Prediction) -> None:
        """Take in what was reported of a batch. Nothing is moved from its device."""
        self.clips += len(prediction.logits)
        for name, values in prediction.diagnostics.items():
            if values.ndim == 2 and name not in self.per_token:
                self.sums.setdefault(name, []).append(values.detach().double().sum(dim=0))

    def means(self) -> dict[str, float]:
        """Since it was made."""
        found: dict[str, float] = {}
        for name, sums in self.sums.items():
            if len({len(part) for part in sums}) == 1:
                mean = (torch.stack(sums).sum(dim=0) / self.clips).tolist()
                found |= {
                    f"{name}{column}": x for column, x in zip(self._columns(name, mean), mean, strict=True)
                }
        return found

    def _columns(self, name: str, values: Sequence[float]) -> list[str]:
        """What is appended to a diagnostic's name, for each of its columns."""
        pairs = [f"{a}+{b}" for a, b in combinations(self.modalities, 2)]
        names = list(self.modalities)
        if name.startswith("pair_") and pairs:
            names = pairs
        elif name.startswith("expert_"):
            names = ["joint", *names]
        if len(names) == len(values):
            return [f"_{column}" for column in names]
        return [""] if len(values) == 1 else [f"_{number}" for number in range(len(values))]


def validate_alone(
    session: Session, batches: Iterable[Batch], task: TaskKind
) -> tuple[Predictions, dict[str, float]]:
    """Validation; the task's primary metric with only each modality present, `accuracy_only_<modality>`; and
    the means of what the fusion reports of itself.

    A clip that lacks the modality is predicted from the training split's labels alone.
    """
    assert isinstance(session.model, FusionModel)
    alone = [(m,) for m in session.model.encoders]
    score, device = TASKS[task].score, session.fabric.device
    reported = FusionMeans(list(session.model.encoders))
    whole, parts = predict_subsets(session.net, batches, device, alone, task, watch=reported.add)
    clip_scores, shown = TASKS[task].clip_scores, {m: parts[(m,)] for (m,) in alone}
    scores = {f"{score}_only_{m}": float(clip_scores(p.outputs, p.labels).mean()) for m, p in shown.items()}
    return whole, scores | reported.means()
