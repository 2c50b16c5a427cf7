"""Adaptive gradient modulation: what each modality adds is measured, and its gradient scaled by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mmvideo.objectives.base import Objective, Setting, mean_of_others
from mmvideo.schema import NotNegative
from mmvideo.types import Batch, Prediction

Subset = tuple[str, ...]


class Agm(Objective):
    """AGM (Li et al., 2023, https://arxiv.org/abs/2308.07686), for any fusion and number of modalities.

    V(S) are the model's logits with only the modalities in S present. A modality's response φ_m is its
    Shapley value in V, so that V(all) = V(∅) + Σ φ_m. Its score s_m is the loss of V(∅) + φ_m; r_m =
    exp(mean of the others' s - s_m), and r̂_m the same of the scores' running means over all steps so far.
    The gradient through φ_m is multiplied by exp(α (r̂_m - r_m)); the loss itself is unchanged.

    Encoders run once a step, the fusion once for each subset: 2^M - 2 times more than otherwise.
    """

    running: Tensor
    steps: Tensor

    class Config(Objective.Config):
        alpha: NotNegative = 1.0
        """α, strength; 0 is no modulation."""

    def __init__(self, config: Config, setting: Setting) -> None:
        super().__init__(config, setting)
        self.alpha = config.alpha
        self.register_buffer("running", torch.zeros(len(setting.modalities)))
        self.register_buffer("steps", torch.zeros(len(setting.modalities)))

    @property
    def subsets(self) -> tuple[Subset, ...]:
        """All but the whole, the empty one first."""
        modalities = self.setting.modalities
        if len(modalities) == 1:
            return ()
        return tuple(s for size in range(len(modalities)) for s in combinations(modalities, size))

    def forward(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        if not self.subsets:
            return self.clip_loss(prediction.logits, batch.labels).mean()
        modalities = self.setting.modalities
        values = {**dict(zip(self.subsets, prediction.subsets, strict=True)), modalities: prediction.logits}
        nothing = values[()]
        responses = {m: shapley(values, m, modalities) for m in modalities}
        losses = {m: self.clip_loss(nothing + r.detach(), batch.labels) for m, r in responses.items()}
        present = torch.stack([batch.inputs[m].mask.any(dim=1) for m in modalities])
        shares = self._shares(torch.stack(list(losses.values())), present)
        scaled = [
            share * r + (1 - share) * r.detach() for share, r in zip(shares, responses.values(), strict=True)
        ]
        return self.clip_loss(sum(scaled, nothing), batch.labels).mean()

    @torch.no_grad()
    def _shares(self, losses: Float[Tensor, "M B"], present: Tensor) -> Float[Tensor, " M"]:
        """exp(α (r̂ - r)) for each modality; the running means take in this step's scores afterwards.

        Scores are over the clips that have the modality. One that no clip of the batch has takes no part.
        """
        counts = present.sum(dim=1)
        scores = (losses * present).sum(dim=1) / counts.clamp(min=1)
        now, usual = ratios(scores, counts > 0), ratios(self.running, counts > 0)
        if self.training:
            self.steps += counts > 0
            step = (scores - self.running) / self.steps.clamp(min=1)
            self.running += torch.where(counts > 0, step, torch.zeros_like(step))
        return torch.exp(self.alpha * (usual - now))


def shapley(values: Mapping[Subset, Tensor], modality: str, modalities: Subset) -> Tensor:
    """Σ over subsets S without the modality of |S|! (M-|S|-1)! / M! · (V(S ∪ m) - V(S)) (Shapley, 1953)."""
    count = len(modalities)
    response = torch.zeros_like(values[()])
    for size in range(count):
        weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
        for subset in combinations([m for m in modalities if m != modality], size):
            joined = tuple(m for m in modalities if m in subset or m == modality)
            response = response + weight * (values[joined] - values[subset])
    return response


def ratios(scores: Float[Tensor, " M"], seen: Bool[Tensor, " M"]) -> Float[Tensor, " M"]:
    """exp(mean of the others' scores - own); 1 for what was not seen, or alone was."""
    others, compared = mean_of_others(scores, seen)
    return torch.where(compared, torch.exp(others - scores), 1.0)
