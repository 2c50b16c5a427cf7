"""The optimiser, its parts' learning rates, and its schedule."""

from __future__ import annotations

import torch
from torch import nn

from mmvideo.config import TrainConfig
from mmvideo.encoders.base import Encoder
from mmvideo.encoders.tuning import blocks_above
from mmvideo.model import FusionModel


def trained_parts(model: nn.Module, objective: nn.Module) -> nn.ModuleDict:
    """All that has parameters to train, under one roof: the model, and what its objective adds."""
    return nn.ModuleDict({"model": model, "objective": objective})


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019, https://arxiv.org/abs/1711.05101); vectors are not decayed.

    Parameters that learn at the same rate make up two groups, matrices and vectors.
    """
    share = rate_shares(model, config)
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = []
    for rate in dict.fromkeys(share.get(p, 1.0) for p in trained) or [1.0]:
        same = [p for p in trained if share.get(p, 1.0) == rate]
        for decay, chosen in ((config.weight_decay, True), (0.0, False)):
            parameters = [p for p in same if (p.ndim >= 2) == chosen]
            groups.append({"params": parameters, "weight_decay": decay, "lr": config.learning_rate * rate})
    # with 16-mixed, gradients are unscaled before clipping, which the fused kernel would do once more
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=config.precision != "16-mixed")


def rate_shares(model: nn.Module, config: TrainConfig) -> dict[nn.Parameter, float]:
    """By parameter, its learning rate over `learning_rate`, by the part of the model it is of.

    Args:
        model: a `FusionModel`, or what `trained_parts` makes of one; parameters of others are left out.
    """
    rates, shares = config.rates, dict[nn.Parameter, float]()
    if isinstance(model, nn.ModuleDict):
        shares |= dict.fromkeys(model["objective"].parameters(), rates.head)
        model = model["model"]
    if not isinstance(model, FusionModel):
        return shares
    for encoder in model.encoders.values():
        assert isinstance(encoder, Encoder)
        shares |= dict.fromkeys(encoder.parameters(), rates.encoders)
        if (network := encoder.pretrained) is not None:
            above = blocks_above(network)
            for name, parameter in network.named_parameters():
                shares[parameter] = rates.pretrained * config.layer_decay ** above[name]
    shares |= dict.fromkeys(model.fusion.parameters(), rates.fusion)
    return shares | dict.fromkeys(model.head.parameters(), rates.head)


def make_schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Warm-up, stable, decay (Hu et al., 2024, https://arxiv.org/abs/2404.06395).

    Linearly up, level, linearly down to 0. On a short budget this keeps the full rate for longer than a
    cosine does.
    """
    warmup, decay = max(1, round(config.warmup * steps)), max(1, round(config.decay * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup, max(0.0, (steps - step) / decay))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
