"""What is logged while training: gradient norms, each modality alone; and that looking changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmvideo.config import TrainConfig
from mmvideo.objectives import Setting
from mmvideo.objectives.supervised import CrossEntropy
from mmvideo.training.diagnostics import GradientNorms
from mmvideo.training.predict import predict

TWO = ("visual", "audio")


def plain_loss(setting: Setting) -> CrossEntropy:
    return CrossEntropy(CrossEntropy.Config(), setting)


def test_norms_are_those_before_clipping(model: Any, batch: Any) -> None:
    net = model(TWO)
    session: Any = SimpleNamespace(model=net, config=TrainConfig(clip_norm=0.01))
    norms, expected = GradientNorms(session), []
    for seed in (0, 1):
        net.zero_grad()
        net(batch(TWO, 8, seed)).logits.square().sum().backward()
        parts = {"visual": net.encoders["visual"], "audio": net.encoders["audio"]}
        values = {name: _norm([part]) for name, part in parts.items()}
        expected.append(values | {"fusion": _norm([net.fusion, net.head])})
        norms.add(torch.nn.utils.clip_grad_norm_(net.parameters(), 0.01))
    found = norms.means()
    for name in ("visual", "audio", "fusion"):
        mean = (expected[0][name] + expected[1][name]) / 2
        assert found[f"gradient_norm_{name}"] == pytest.approx(mean, rel=1e-3)
    assert found["gradient_norm_fusion"] > 0.01


def _norm(parts: list[torch.nn.Module]) -> float:
    squares = [
        p.grad.square().sum().item() for part in parts for p in part.parameters() if p.grad is not None
    ]
    return math.sqrt(sum(squares))


def test_each_epoch_tells_of_gradients_and_of_each_modality_alone(
    setting: Callable[..., Setting], fitted: Any
) -> None:
    _, _, records = fitted(plain_loss(setting()))
    for record in records:
        if record["split"] == "train":
            assert {k for k in record if k.startswith("gradient")} == {
                "gradient_norm_visual", "gradient_norm_audio", "gradient_norm_fusion",
            }  # fmt: skip
            assert all(value > 0 for key, value in record.items() if key.startswith("gradient"))
        else:
            assert {k for k in record if "only" in k} == {"accuracy_only_visual", "accuracy_only_audio"}


def test_alone_is_the_accuracy_with_the_others_taken_away(
    setting: Callable[..., Setting], fitted: Any, batch: Any
) -> None:
    net, progress, records = fitted(plain_loss(setting()))
    best = next(r for r in records if r["split"] == "val" and r["epoch"] == progress.best_epoch)
    for m in TWO:
        shown = [batch(TWO, 10, seed).only((m,)) for seed in (10, 11)]
        alone = predict(net, shown, torch.device("cpu")).metrics()["accuracy"]
        assert best[f"accuracy_only_{m}"] == pytest.approx(alone)


def test_looking_changes_no_number(setting: Callable[..., Setting], fitted: Any) -> None:
    looked, _, records = fitted(plain_loss(setting()), "looked")
    blind, _, plain = fitted(plain_loss(setting()), "blind", diagnostics=False)
    assert all(torch.equal(a, b) for a, b in zip(looked.parameters(), blind.parameters(), strict=True))
    assert [r["loss"] for r in records] == [r["loss"] for r in plain]
    assert not any("gradient" in key or "only" in key for r in plain for key in r)


def test_modality_dropout_changes_training_but_not_validation_clips(
    setting: Callable[..., Setting], fitted: Any
) -> None:
    _, _, plain = fitted(plain_loss(setting()), "plain", epochs=1)
    dropped = {"visual": 0.5, "audio": 0.5, "text": 0.0}
    _, _, records = fitted(plain_loss(setting()), "drop", epochs=1, modality_dropout=dropped)
    _, _, again = fitted(plain_loss(setting()), "again", epochs=1, modality_dropout=dropped)
    assert records == again
    assert records[0]["loss"] != plain[0]["loss"]
