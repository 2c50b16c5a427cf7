"""The floor: the linear model that validation chooses, exactly, for every task."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from mmvideo.evaluation.floor import STRENGTHS, FloorFit, PlainBlock, fit_floor
from mmvideo.evaluation.tasks import TASKS

SPLIT = np.repeat(["train", "val", "test"], [40, 30, 30])


def block(values: np.ndarray, parts: np.ndarray | None = None, *, together: bool = False) -> PlainBlock:
    return PlainBlock(values, np.zeros((len(values), 0)) if parts is None else parts, together)


def standardised(values: np.ndarray) -> np.ndarray:
    train = values[SPLIT == "train"]
    return (values - train.mean(axis=0)) / train.std(axis=0)


@pytest.mark.parametrize("columns", [5, 300])
def test_it_is_the_logistic_regression_on_standardised_columns(columns: int) -> None:
    """Also where clips are fewer than columns, and it is fitted in the space that they span."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=100)
    values = rng.normal(5.0, 3.0, (100, columns)) + np.eye(3, columns)[labels] * 6
    fit = fit_floor("single_label", [block(values)], labels, SPLIT, 3)
    scaled, train = standardised(values), SPLIT == "train"
    known = LogisticRegression(C=fit.strength, max_iter=5000, tol=1e-7).fit(scaled[train], labels[train])
    np.testing.assert_allclose(np.exp(fit.outputs), known.predict_proba(scaled[SPLIT == "test"]), atol=2e-3)
    losses = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=5000).fit(scaled[train], labels[train])
        proba = model.predict_proba(scaled[SPLIT == "val"])
        losses.append(-np.log(proba[np.arange(30), labels[SPLIT == "val"]]).mean())
    assert fit.strength == STRENGTHS[int(np.argmin(losses))]
    assert fit.val_loss == pytest.approx(min(losses), abs=2e-3)


def test_test_labels_decide_nothing_and_the_same_gives_the_same() -> None:
    rng = np.random.default_rng(1)
    labels, values = rng.integers(2, size=100), rng.normal(size=(100, 8))
    first = fit_floor("single_label", [block(values)], labels, SPLIT, 2)
    labels[SPLIT == "test"] = 1 - labels[SPLIT == "test"]
    again = fit_floor("single_label", [block(values)], labels, SPLIT, 2)
    assert np.array_equal(first.outputs, again.outputs)
    assert first.strength == again.strength


def test_noise_gets_a_strong_penalty() -> None:
    rng = np.random.default_rng(2)
    fit = fit_floor("single_label", [block(rng.normal(size=(100, 200)))], rng.integers(4, size=100), SPLIT, 4)
    assert fit.strength <= 1e-2
    np.testing.assert_allclose(np.exp(fit.outputs), 0.25, atol=0.15)


@pytest.mark.parametrize("informative", [False, True])
def test_parts_in_time_are_read_where_validation_gains_by_them(informative: bool) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(2, size=100)
    order = rng.normal(size=(100, 4)) + (4 * labels[:, None] if informative else 0)
    summary = rng.normal(size=(100, 3)) + (0 if informative else 4 * labels[:, None])
    fit = fit_floor("single_label", [block(summary, order)], labels, SPLIT, 2)
    assert fit.in_parts == informative
    assert (fit.outputs.argmax(axis=1) == labels[SPLIT == "test"]).mean() > 0.95


def test_term_weights_keep_their_scale() -> None:
    """A term of one training clip, on a scale of its own, would weigh as much as the one that tells."""
    rng = np.random.default_rng(4)
    labels = rng.integers(2, size=100)
    told = np.column_stack([labels, 1 - labels]) * 1.0
    rare = np.zeros((100, 30))
    rare[np.arange(30), np.arange(30)] = 0.01
    values = np.concatenate([told, rare], axis=1)
    apart, as_one = (
        fit_floor("single_label", [block(values, together=t)], labels, SPLIT, 2) for t in (False, True)
    )
    assert as_one.val_loss <= apart.val_loss
    assert (as_one.outputs.argmax(axis=1) == labels[SPLIT == "test"]).all()


def test_a_class_without_training_clips_keeps_what_laplaces_rule_gives_it() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(2, size=100)
    values = rng.normal(size=(100, 3)) + 3 * labels[:, None]
    outputs = fit_floor("single_label", [block(values)], labels, SPLIT, 3).outputs
    np.testing.assert_allclose(np.exp(outputs).sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(outputs[:, 2]), 1 / 43)
    alone = fit_floor("single_label", [block(values)], np.zeros(100, int), SPLIT, 2).outputs
    np.testing.assert_allclose(np.exp(alone[0]), [41 / 42, 1 / 42])


def test_each_class_of_a_multi_label_task_has_its_own_regression() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random((100, 3)) < 0.5).astype(float)
    labels[:, 2] = 1.0  # nothing to fit
    values = rng.normal(size=(100, 2)) + 3 * labels[:, :2]
    fit = fit_floor("multi_label", [block(values)], labels, SPLIT, 3)
    assert ((fit.outputs[:, :2] > 0) == labels[SPLIT == "test", :2]).mean() > 0.9
    np.testing.assert_allclose(expit(fit.outputs[:, 2]), 41 / 42)
    train, scaled = SPLIT == "train", standardised(values)
    known = LogisticRegression(C=fit.strength).fit(scaled[train], labels[train, 0])
    np.testing.assert_allclose(fit.outputs[:, 0], known.decision_function(scaled[SPLIT == "test"]), atol=1e-2)


def test_a_regression_is_a_ridge() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(size=(100, 4))
    labels = values @ [1.0, -2.0, 0.0, 0.5] + 3 + rng.normal(0, 0.1, 100)
    fit = fit_floor("regression", [block(values[:, :2]), block(values[:, 2:])], labels, SPLIT, 0)
    assert TASKS["regression"].metrics(fit.outputs, labels[SPLIT == "test"])["mae"] < 0.15
    train, scaled = SPLIT == "train", standardised(values)
    known = Ridge(alpha=1 / fit.strength).fit(scaled[train], labels[train])
    np.testing.assert_allclose(fit.outputs[:, 0], known.predict(scaled[SPLIT == "test"]))


def test_constant_columns_do_no_harm() -> None:
    rng = np.random.default_rng(8)
    labels = rng.integers(2, size=100)
    values = np.column_stack([rng.normal(size=100) + 5 * labels, np.full(100, 7.0)])
    values[SPLIT == "test", 1] = 7.5
    fit: FloorFit = fit_floor("single_label", [block(values)], labels, SPLIT, 2)
    assert np.isfinite(fit.outputs).all()
    assert (fit.outputs.argmax(axis=1) == labels[SPLIT == "test"]).mean() > 0.9
