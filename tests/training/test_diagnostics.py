"""What is logged while training: gradient norms, each modality alone; and that looking changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from small_models import small_batch, small_model

from mmvideo.config import TrainConfig
from mmvideo.objectives import Setting
from mmvideo.objectives.supervised import CrossEntropy
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.diagnostics import FusionMeans, GradientNorms
from mmvideo.training.loop import fit
from mmvideo.training.predict import predict
from mmvideo.types import Prediction

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
    dropped = {"visual": 0.5, "audio": 0.5}
    _, _, records = fitted(plain_loss(setting()), "drop", epochs=1, modality_dropout=dropped)
    _, _, again = fitted(plain_loss(setting()), "again", epochs=1, modality_dropout=dropped)
    assert records == again
    assert records[0]["loss"] != plain[0]["loss"]


@pytest.mark.parametrize(("reported", "logged"), [
    ({"gates": [[0.2, 0.4], [0.4, 0.8]]}, {"gates_visual": 0.3, "gates_audio": 0.6}),
    (
        {"expert_weights": [[0.5, 0.3, 0.2]]},
        {"expert_weights_joint": 0.5, "expert_weights_visual": 0.3, "expert_weights_audio": 0.2},
    ),
    ({"pair_share": [[0.7], [0.9]]}, {"pair_share_visual+audio": 0.8}),
    ({"modulation": [[0.7], [0.9]]}, {"modulation": 0.8}),
    ({"parts": [[1.0, 2.0, 3.0, 4.0]]}, {"parts_0": 1.0, "parts_1": 2.0, "parts_2": 3.0, "parts_3": 4.0}),
    ({"token_weights": [[0.5, 0.5]], "step_weights": [[0.1, 0.9]], "deep": [[[1.0]]]}, {}),
])  # fmt: skip
def test_what_a_fusion_reports_is_logged_as_means_over_clips(
    reported: dict[str, Any], logged: dict[str, float]
) -> None:
    means = FusionMeans(TWO)
    values = {name: torch.tensor(rows) for name, rows in reported.items()}
    for row in range(len(next(iter(values.values())))):
        part = {name: rows[row : row + 1] for name, rows in values.items()}
        means.add(Prediction(torch.zeros(1, 3), part))
    assert means.means() == pytest.approx(logged)


def test_what_comes_for_each_token_is_not_logged() -> None:
    means = FusionMeans(TWO)
    for length in (4, 5):
        means.add(
            Prediction(torch.zeros(2, 3), {"token_weights": torch.ones(2, length), "gates": torch.ones(2, 2)})
        )
    assert means.means() == {"gates_visual": 1, "gates_audio": 1}


def test_three_pairs_are_not_taken_for_three_modalities() -> None:
    means = FusionMeans(("visual", "audio", "text"))
    means.add(Prediction(torch.zeros(1, 3), {"pair_share": torch.tensor([[0.5, 0.3, 0.2]])}))
    assert list(means.means()) == [
        "pair_share_visual+audio",
        "pair_share_visual+text",
        "pair_share_audio+text",
    ]


def test_every_epoch_tells_what_the_fusion_reports(tmp_path: Path) -> None:
    class Data:
        batches_per_epoch = 1
        train_batches = val_batches = lambda self, *epoch: iter([small_batch(features=True)])

    records: list[dict[str, Any]] = []
    model = small_model("gated", features=True)
    objective = CrossEntropy(CrossEntropy.Config(), Setting(("visual", "audio", "text"), 16, 3))
    fit(
        model, objective, Data(), TrainConfig(epochs=1), seed=0, checkpoints=Checkpoints(tmp_path),
        fabric=Fabric(accelerator="cpu", devices=1), log=records.append,
    )  # fmt: skip
    gates = {key: value for key, value in records[1].items() if key.startswith("gates")}
    with torch.no_grad():
        expected = model.eval()(small_batch(features=True)).diagnostics["gates"].mean(dim=0).tolist()
    assert gates == pytest.approx(
        dict(zip(("gates_visual", "gates_audio", "gates_text"), expected, strict=True))
    )
    assert not any("weights" in key for key in records[1])
