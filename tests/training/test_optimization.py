"""What the optimizer decays, and how its learning rate runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pretrained import picture_folder
from tiny_training import Fitted
from torch import nn

from mmvideo.components import OBJECTIVES, EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig, TrainConfig
from mmvideo.model import FusionModel, build_model
from mmvideo.objectives import Setting
from mmvideo.train_config import Rates
from mmvideo.training.optimization import make_optimizer, make_schedule, trained_parts


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


class TestRates:
    @pytest.fixture
    def on_clip(self, tmp_path: Path) -> FusionModel:
        """A CLIP of two layers and a text encoder from scratch, fused by attention."""
        clip = EncoderChoice.of("frame_model", model=str(picture_folder("clip", tmp_path)), frozen=False)
        inputs = {"visual": Input.of("visual", clip), "text": Input.of("text")}
        return build_model(
            RunConfig(width=8, inputs=inputs, fusion=FusionChoice.of("gated")), 3, {"text": 20}
        )

    @staticmethod
    def rates(model: FusionModel, objective: nn.Module, **config: Any) -> dict[str, float]:
        """By name, each parameter's learning rate over the configured one."""
        parts = trained_parts(model, objective)
        optimizer = make_optimizer(parts, TrainConfig.model_validate({"learning_rate": 0.01, **config}))
        names = {parameter: name for name, parameter in parts.named_parameters()}
        found = {names[p]: group["lr"] / 0.01 for group in optimizer.param_groups for p in group["params"]}
        assert len(found) == sum(p.requires_grad for p in parts.parameters())
        decayed = {p.ndim >= 2 for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
        assert decayed == {True}
        return found

    def test_each_part_has_its_own(self, on_clip: FusionModel) -> None:
        given = {"pretrained": 0.1, "encoders": 0.5, "fusion": 2.0, "head": 3.0}
        found = self.rates(on_clip, nn.Linear(2, 2), rates=given, layer_decay=0.5)
        clip = "model.encoders.visual.model.network."
        expected = {
            f"{clip}embeddings.": 0.1 / 4, f"{clip}pre_layrnorm.": 0.1 / 4, f"{clip}encoder.layers.0.": 0.05,
            f"{clip}encoder.layers.1.": 0.1, f"{clip}post_layernorm.": 0.1,
            "model.encoders.visual.project.": 0.5, "model.encoders.text.transformer.": 0.5,
            "model.fusion.": 2.0, "model.head.": 3.0, "objective.": 3.0,
        }  # fmt: skip
        for begin, rate in expected.items():
            chosen = [value for name, value in found.items() if name.startswith(begin)]
            assert chosen == pytest.approx([rate] * len(chosen)), begin
            assert chosen, begin

    def test_by_default_there_are_two_groups_at_one_rate(self, on_clip: FusionModel) -> None:
        assert set(self.rates(on_clip, nn.Identity()).values()) == {1.0}
        assert len(make_optimizer(on_clip, TrainConfig()).param_groups) == 2

    def test_a_rate_that_is_none(self) -> None:
        for wrong in ({"rates": {"head": 0.0}}, {"rates": {"haed": 1.0}}, {"layer_decay": 1.5}):
            with pytest.raises(ValueError, match=r"rates.head|rates.haed|layer_decay"):
                TrainConfig.model_validate(wrong)


def test_what_is_logged_is_the_configured_rate_and_a_resumed_run_keeps_those_of_its_parts(
    fitted: Callable[..., Fitted], setting: Callable[..., Setting]
) -> None:
    config = {"epochs": 2, "rates": Rates(encoders=1e-9, head=2.0), "learning_rate": 0.01}
    objective = OBJECTIVES.resolve("cross_entropy")

    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    model, _, records = fitted(objective(objective.Config(), setting()), **config)
    with pytest.raises(KeyboardInterrupt):
        fitted(objective(objective.Config(), setting()), "broken", stop, **config)
    again, _, rest = fitted(objective(objective.Config(), setting()), "broken", **config)
    assert rest == records[2:]
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert records[2]["learning_rate"] <= 0.01
    assert records[0]["learning_rate"] == 0.01
