"""Supervised objectives against their formulas in NumPy, and what no objective accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mmvideo.components import OBJECTIVES, ObjectiveChoice
from mmvideo.errors import InputError
from mmvideo.objectives import Objective, Setting
from mmvideo.types import Batch, Prediction

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.0, 3.0], [-1.0, 1.0, 0.3]])
LABELS = torch.tensor([0, 1, 0])
BATCH = Batch(("a", "b", "c"), {}, LABELS)
SETTING = Setting(("visual",), 4, 3, class_counts=(6, 3, 1))


def made(name: str, setting: Setting, **options: Any) -> Objective:
    objective: Objective = ObjectiveChoice.of(name, **options).build(setting)
    return objective


def log_softmax(logits: torch.Tensor) -> np.ndarray:
    values = logits.double().numpy()
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_cross_entropy(smoothing: float) -> None:
    loss = made("cross_entropy", SETTING, label_smoothing=smoothing)(Prediction(LOGITS, {}), BATCH)
    target = np.eye(3)[LABELS.numpy()] * (1 - smoothing) + smoothing / 3
    assert loss.item() == pytest.approx(float(-(target * log_softmax(LOGITS)).sum(axis=1).mean()), rel=1e-6)


def test_balanced_weights_count_rare_classes_more() -> None:
    loss = made("cross_entropy", SETTING, class_weights="balanced")(Prediction(LOGITS, {}), BATCH)
    weight = (10 / (3 * np.array([6, 3, 1])))[LABELS.numpy()]
    losses = -log_softmax(LOGITS)[np.arange(3), LABELS.numpy()]
    assert loss.item() == pytest.approx(float((weight * losses).sum() / weight.sum()), rel=1e-6)
    plain = made("cross_entropy", SETTING)(Prediction(LOGITS, {}), BATCH)
    assert loss.item() != pytest.approx(plain.item(), rel=1e-3)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal(gamma: float) -> None:
    loss = made("focal", SETTING, gamma=gamma)(Prediction(LOGITS, {}), BATCH)
    log_p = log_softmax(LOGITS)[np.arange(3), LABELS.numpy()]
    assert loss.item() == pytest.approx(float(((1 - np.exp(log_p)) ** gamma * -log_p).mean()), rel=1e-6)


def test_focal_of_many_labels_is_the_mean_over_clips_and_classes() -> None:
    setting = Setting(("visual",), 4, 3, "multi_label", (1, 1, 1))
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    loss = made("focal", setting)(Prediction(LOGITS, {}), Batch(("a", "b", "c"), {}, target))
    yes = 1 / (1 + np.exp(-LOGITS.double().numpy()))
    p = np.where(target.numpy() == 1, yes, 1 - yes)
    assert loss.item() == pytest.approx(float(((1 - p) ** 2 * -np.log(p)).mean()), rel=1e-6)


def test_focal_has_finite_gradients_where_the_model_is_certain() -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    wrong = Batch(("a", "b"), {}, torch.tensor([0, 0]))
    made("focal", SETTING, gamma=0.5)(Prediction(logits, {}), wrong).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("task", "outputs", "labels", "expected"),
    [
        ("regression", torch.tensor([[1.0], [-2.0]]), torch.tensor([3.0, -1.0]), 1.5),
        ("multi_label", torch.zeros(2, 3), torch.tensor([[1.0, 0, 1], [0, 0, 0]]), np.log(2)),
    ],
)
def test_other_tasks_have_their_own_plain_loss(
    task: Any, outputs: torch.Tensor, labels: torch.Tensor, expected: float
) -> None:
    loss = made("cross_entropy", Setting(("visual",), 4, outputs.shape[1], task))(
        Prediction(outputs, {}), Batch(("a", "b"), {}, labels)
    )
    assert loss.item() == pytest.approx(expected)


def test_half_precision_logits_are_summed_in_full() -> None:
    loss = made("cross_entropy", SETTING)(Prediction(LOGITS.bfloat16(), {}), BATCH)
    assert loss.dtype == torch.float32


REGRESSION = {"task": "regression", "outputs": 1}


@pytest.mark.parametrize(
    ("name", "options", "changes", "message"),
    [
        ("cross_entropy", {"label_smoothing": -0.1}, {}, r"label_smoothing: Input .* \(got -0.1\)"),
        ("cross_entropy", {"label_smoothing": 1.0}, {}, r"label_smoothing: Input .* less than 1 "),
        ("cross_entropy", {"class_weights": "balance"}, {}, "class_weights: .* 'none' or 'balanced'"),
        ("cross_entropy", {"label_smoothing": 0.1}, REGRESSION, "'single_label', not 'regression'"),
        ("focal", {"gamma": -1.0}, {}, r"gamma: Input should be greater than or equal to 0 \(got -1.0\)"),
        ("focal", {}, REGRESSION, "for a regression use 'cross_entropy'"),
        ("unimodal_auxiliary", {"weight": -1.0}, {}, "'unimodal_auxiliary': weight: Input should be"),
        ("ogm", {"alpha": -1.0}, {}, "'ogm': alpha: Input should be greater"),
        ("ogm_ge", {"epochs": -1}, {}, "'ogm_ge': epochs: Input should be greater"),
        ("agm", {"alpha": -1.0}, {}, "'agm': alpha: Input should be greater"),
        ("mmpareto", {"gamma": 0.0}, {}, "gamma: Input should be greater than 0"),
        ("gradient_blend", {"estimation_epochs": 0}, {}, "estimation_epochs: Input should be greater than 0"),
        ("agm", {"beta": 1.0}, {}, "Unknown option of objective 'agm' 'beta'"),
    ],
)
def test_what_cannot_be_built(
    name: str, options: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    given = {"modalities": ("visual", "audio"), "width": 4, "outputs": 3} | changes
    with pytest.raises(InputError, match=message):
        made(name, Setting(**given), **options)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_registered_objective_is_one(name: str) -> None:
    cls = OBJECTIVES.resolve(name)
    assert issubclass(cls, Objective)
    assert cls.__doc__


@pytest.mark.parametrize(
    ("name", "message"),
    [("focl", "Did you mean 'focal'"), ("json:loads", "'json:loads' is not a subclass of mmvideo.obj")],
)
def test_what_is_no_objective(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        OBJECTIVES.resolve(name)


def test_plain_objectives_add_nothing(setting: Callable[..., Setting]) -> None:
    for name in ("cross_entropy", "focal"):
        objective = made(name, setting())
        assert not list(objective.parameters())
        assert not objective.state_dict()
        assert (objective.reads, objective.subsets, objective.report()) == (frozenset(), (), {})
