"""Strategies that multiply, gate or attend learn to follow a question that adding up evidence cannot follow.

The answer is the sign of a number in `visual` or in `audio`; `text` says which. An additive model can do no
better than right where the two agree and a guess where they do not: 0.75.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.components import FusionChoice
from mmvideo.contract.fusions import WIDTH
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import MODALITIES

ADDITIVE_LIMIT = 0.75
STRATEGIES = ("gated", "film", "mmtm", "tensor", "low_rank", "bilinear", "attention", "experts")


def question(clips: int, seed: int) -> tuple[dict[str, Features], Tensor]:
    """Features of one trunk token that says what the clip vector says, and the answers."""
    clip = torch.randn(3, clips, WIDTH, generator=torch.Generator().manual_seed(1000 + seed))
    here = torch.ones(clips, dtype=torch.bool)
    features: dict[str, Features] = {
        name: Features(here, trunk=Tokens(x[:, None], here[:, None], torch.zeros(clips, 1)), clip=x)
        for name, x in zip(MODALITIES, clip, strict=True)
    }
    visual, audio, text = clip[:, :, 0]
    return features, (torch.where(text > 0, visual, audio) > 0).long()


def accuracy(name: str) -> float:
    """On fresh clips, after a short training."""
    torch.manual_seed(0)
    fused = FusionChoice.of(name, dropout=0.0).build(MODALITIES, WIDTH)
    model = nn.ModuleList([fused, nn.Linear(WIDTH, 2)])
    fusion, head = model
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(80):
        features, answers = question(192, step)
        loss = F.cross_entropy(head(fusion(features).pooled), answers)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        features, answers = question(2000, 10_000)
        return float((head(fusion.eval()(features).pooled).argmax(dim=1) == answers).float().mean())


@pytest.mark.parametrize("name", STRATEGIES)
def test_it_follows_the_question(name: str) -> None:
    assert accuracy(name) > ADDITIVE_LIMIT + 0.05


def test_the_sum_of_votes_does_not() -> None:
    assert accuracy("late_sum") < ADDITIVE_LIMIT + 0.02  # 2 standard errors at 2,000 clips
