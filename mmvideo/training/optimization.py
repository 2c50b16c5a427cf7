"""The optimiser and its schedule."""

from __future__ import annotations

import torch
from torch import nn

from mmvideo.config import TrainConfig


def trained_parts(model: nn.Module, objective: nn.Module) -> nn.ModuleDict:
    """All that has parameters to train, under one roof: the model, and what its objective adds."""
    return nn.ModuleDict({"model": model, "objective": objective})


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019, https://arxiv.org/abs/1711.05101); vectors are not decayed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    # with 16-mixed, gradients are unscaled before clipping, which the fused kernel would do once more
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=config.precision != "16-mixed")


def make_schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Warm-up, stable, decay (Hu et al., 2024, https://arxiv.org/abs/2404.06395).

    Linearly up, level, linearly down to 0. On a short budget this keeps the full rate for longer than a
    cosine does.
    """
    warmup, decay = max(1, round(config.warmup * steps)), max(1, round(config.decay * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup, max(0.0, (steps - step) / decay))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
