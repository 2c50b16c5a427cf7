"""The per-clip losses against their formulas in NumPy, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmvideo.errors import InputError
from mmvideo.objectives.losses import per_clip_loss

GENERATOR = np.random.default_rng(0)
OUTPUTS = GENERATOR.normal(size=(6, 4))


def test_cross_entropy_of_each_clip() -> None:
    labels = np.array([0, 3, 1, 1, 2, 0])
    loss = per_clip_loss("single_label")(torch.from_numpy(OUTPUTS), torch.from_numpy(labels))
    log_p = OUTPUTS - np.log(np.exp(OUTPUTS).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(loss, -log_p[np.arange(6), labels], rtol=1e-5)


def test_binary_cross_entropy_of_each_clip() -> None:
    labels = GENERATOR.integers(0, 2, size=(6, 4)).astype(np.float32)
    loss = per_clip_loss("multi_label")(torch.from_numpy(OUTPUTS), torch.from_numpy(labels))
    p = 1 / (1 + np.exp(-OUTPUTS))
    expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_absolute_and_huber_error_of_each_clip() -> None:
    values, labels = torch.tensor([[1.0], [-2.0], [0.5]]), torch.tensor([1.5, 1.0, 0.5])
    assert per_clip_loss("regression")(values, labels).tolist() == [0.5, 3.0, 0.0]
    huber = per_clip_loss("regression", huber_delta=1.0)(values, labels)
    assert huber.tolist() == [0.125, 2.5, 0.0]  # ½·0.5², 1·(3 - ½)


@pytest.mark.parametrize("task", ["single_label", "multi_label", "regression"])
def test_one_clip_alone_costs_what_it_costs_in_a_batch(task) -> None:
    outputs = torch.from_numpy(OUTPUTS[:, : 1 if task == "regression" else 4])
    labels = {
        "single_label": torch.tensor([0, 3, 1, 1, 2, 0]),
        "multi_label": torch.ones(6, 4),
        "regression": torch.arange(6.0),
    }[task]
    loss = per_clip_loss(task)
    alone = torch.cat([loss(outputs[i : i + 1], labels[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(loss(outputs, labels), alone)
    assert loss(outputs.bfloat16(), labels).dtype == torch.float32


def test_a_regression_has_one_output() -> None:
    with pytest.raises(AssertionError, match="one output, not 4"):
        per_clip_loss("regression")(torch.from_numpy(OUTPUTS), torch.zeros(6))


def test_what_it_refuses() -> None:
    with pytest.raises(InputError, match=r"Unknown task 'regresion'. Did you mean 'regression'"):
        per_clip_loss("regresion")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"huber_delta .* got 1.0 for 'multi_label'"):
        per_clip_loss("multi_label", huber_delta=1.0)
    with pytest.raises(InputError, match="huber_delta"):
        per_clip_loss("regression", huber_delta=0.0)
