"""The LSTM's start: what it remembers, and that what follows cannot reach what came before."""

from __future__ import annotations

import math

import pytest
import torch

from mmvideo.layers.recurrent import make_lstm


@pytest.mark.parametrize("layers", [1, 2])
def test_every_recurrent_gate_starts_orthogonal(layers: int) -> None:
    lstm = make_lstm(5, 8, layers)
    for layer in range(layers):
        for gate in getattr(lstm, f"weight_hh_l{layer}").split(8):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)


def test_input_weights_have_glorots_spread() -> None:
    torch.manual_seed(0)
    limit = math.sqrt(6 / (200 + 100))
    for gate in make_lstm(200, 100).weight_ih_l0.split(100):
        assert gate.abs().max() <= limit
        assert gate.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)


def test_the_forget_gate_is_the_open_one() -> None:
    """With no input and no recurrence, the memory shrinks by sigmoid(1) each step: it is the forget gate's bias that is 1."""
    lstm = make_lstm(3, 4)
    with torch.no_grad():
        lstm.weight_ih_l0.zero_()
        lstm.weight_hh_l0.zero_()
    start = torch.full((1, 1, 4), 2.0)
    _, (_, memory) = lstm(torch.zeros(1, 6, 3), (torch.zeros(1, 1, 4), start))
    torch.testing.assert_close(memory, start * torch.sigmoid(torch.tensor(1.0)) ** 6)


def test_what_comes_later_changes_nothing_before() -> None:
    torch.manual_seed(0)
    lstm = make_lstm(3, 4, 2)
    x = torch.randn(1, 7, 3)
    longer = torch.cat([x, torch.full((1, 4, 3), 1e3)], dim=1)
    torch.testing.assert_close(lstm(longer)[0][:, :7], lstm(x)[0])
