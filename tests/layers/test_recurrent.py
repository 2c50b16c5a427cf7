"""The LSTM against its formula in NumPy, its start, and that what follows cannot reach what came before."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmvideo.layers.recurrent import DeltaLstm


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def reference(layer: DeltaLstm, x: np.ndarray) -> np.ndarray:
    """One layer over steps (N, F) and changes; gates in PyTorch's order: input, forget, cell, output."""
    w = {name: p.detach().numpy() for name, p in layer.lstm.named_parameters()}
    width = w["weight_hh_l0"].shape[1]
    change = np.diff(x, axis=0, prepend=x[:1])
    state, memory, states = np.zeros(width), np.zeros(width), []
    for step in np.concatenate([x, change], axis=1):
        gates = w["weight_ih_l0"] @ step + w["bias_ih_l0"] + w["weight_hh_l0"] @ state + w["bias_hh_l0"]
        enter, keep, new, show = gates.reshape(4, width)
        memory = sigmoid(keep) * memory + sigmoid(enter) * np.tanh(new)
        state = sigmoid(show) * np.tanh(memory)
        states.append(state)
    return np.array(states)


def test_it_is_the_formula_over_steps_and_their_changes() -> None:
    torch.manual_seed(0)
    layer = DeltaLstm(3, 4).double()
    x = torch.randn(2, 6, 3).double()
    expected = np.stack([reference(layer, clip.numpy()) for clip in x])
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_every_recurrent_gate_starts_orthogonal(layers: int) -> None:
    lstm = DeltaLstm(5, 8, layers).lstm
    for layer in range(layers):
        for gate in getattr(lstm, f"weight_hh_l{layer}").split(8):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)


def test_input_weights_have_glorots_spread() -> None:
    torch.manual_seed(0)
    limit = math.sqrt(6 / (200 + 100))
    for gate in DeltaLstm(100, 100).lstm.weight_ih_l0.split(100):
        assert gate.abs().max() <= limit
        assert gate.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)


def test_the_forget_gate_is_the_open_one() -> None:
    """With no input and no recurrence, the memory shrinks by sigmoid(1) each step: that gate's bias is 1."""
    lstm = DeltaLstm(3, 4).lstm
    with torch.no_grad():
        lstm.weight_ih_l0.zero_()
        lstm.weight_hh_l0.zero_()
    start = torch.full((1, 1, 4), 2.0)
    _, (_, memory) = lstm(torch.zeros(1, 6, 6), (torch.zeros(1, 1, 4), start))
    torch.testing.assert_close(memory, start * torch.sigmoid(torch.tensor(1.0)) ** 6)


def test_what_comes_later_changes_nothing_before() -> None:
    torch.manual_seed(0)
    lstm = DeltaLstm(3, 4, 2)
    x = torch.randn(1, 7, 3)
    longer = torch.cat([x, torch.full((1, 4, 3), 1e3)], dim=1)
    torch.testing.assert_close(lstm(longer)[:, :7], lstm(x))


def test_a_single_step_has_no_change() -> None:
    torch.manual_seed(0)
    lstm = DeltaLstm(3, 4)
    x = torch.randn(1, 1, 3)
    torch.testing.assert_close(lstm(x), lstm(x.expand(1, 2, 3))[:, :1])
