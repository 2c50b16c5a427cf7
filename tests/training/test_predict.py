"""Predictions of a loader in which clips come in several views."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from mmvideo.errors import TrainingError
from mmvideo.training.predict import predict
from mmvideo.types import Batch, Tokens

CPU = torch.device("cpu")


class Echo(nn.Module):
    """Logits are the batch's own numbers."""

    def forward(self, batch: Batch) -> SimpleNamespace:
        return SimpleNamespace(logits=batch.inputs["audio"].values[:, 0])


def batch(ids: str, logits: Tensor) -> Batch:
    tokens = Tokens(logits[:, None], torch.ones(len(ids), 1, dtype=torch.bool), torch.zeros(len(ids), 1))
    return Batch(tuple(ids), {"audio": tokens}, torch.tensor([ord(name) - ord("a") for name in ids]))


def test_views_are_averaged_across_batch_borders_and_single_rows_stay_to_the_bit() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 3)
    whole = predict(Echo(), [batch("aab", logits[:3]), batch("bc", logits[3:])], CPU)
    assert whole.ids == ("a", "b", "c")
    assert whole.labels.tolist() == [0, 1, 2]
    probabilities = logits.double().softmax(dim=1).numpy()
    outputs = torch.tensor(whole.outputs).exp().numpy()
    assert outputs[0] == pytest.approx(probabilities[:2].mean(axis=0))
    assert outputs[1] == pytest.approx(probabilities[2:4].mean(axis=0))
    assert outputs[2] == pytest.approx(probabilities[4])


def test_without_views_nothing_is_averaged() -> None:
    logits = torch.randn(3, 4)
    plain = predict(Echo(), [batch("abc", logits)], CPU)
    assert torch.equal(torch.tensor(plain.outputs), logits.double().log_softmax(dim=1))


def test_outputs_that_are_no_numbers_have_no_score() -> None:
    """Their likeliest class would be the first, and sometimes right."""
    logits = torch.randn(3, 4)
    predict(Echo(), [batch("abc", logits)], CPU).refuse_nan()
    logits[1, 2] = float("nan")
    with pytest.raises(TrainingError, match="for 1 of 3 clips, such as b"):
        predict(Echo(), [batch("abc", logits)], CPU).refuse_nan()
