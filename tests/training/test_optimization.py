"""What the optimizer decays, and how its learning rate runs."""

from __future__ import annotations

import numpy as np
from torch import nn

from mmvideo.config import TrainConfig
from mmvideo.training.optimization import make_optimizer, make_schedule


def test_only_matrices_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    model[2].requires_grad_(False)
    matrices, others = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    assert [p.shape for p in matrices["params"]] == [(4, 3)]
    assert matrices["weight_decay"] == 0.3
    assert [p.shape for p in others["params"]] == [(4,), (4,), (4,)]
    assert others["weight_decay"] == 0


def test_the_learning_rate_rises_stays_and_falls() -> None:
    config = TrainConfig(learning_rate=2.0, warmup=0.1, decay=0.3)
    optimizer = make_optimizer(nn.Linear(2, 2), config)
    schedule = make_schedule(optimizer, config, steps=100)
    rates = []
    for _ in range(100):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10 * 2, rtol=1e-12)
    assert set(rates[10:70]) == {2.0}
    np.testing.assert_allclose(rates[70:], np.arange(30, 0, -1) / 30 * 2, rtol=1e-12)
    assert schedule.get_last_lr()[0] == 0
