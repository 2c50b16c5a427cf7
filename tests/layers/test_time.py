"""Time in seconds: encodings and biases at known values, and alignment worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvideo.layers.time import TimeDistanceBias, TimeEncoding, align
from mmvideo.types import Tokens


def test_encoding_holds_sines_and_cosines_from_16_s_to_an_eighth() -> None:
    encoding = TimeEncoding(16, frequencies=8)
    with torch.no_grad():
        encoding.out.weight.copy_(torch.eye(16))
        encoding.out.bias.zero_()
    time = torch.tensor([[0.0, 4.0, 0.03125]])
    out = encoding(time).detach().numpy()[0]
    periods = np.array([16, 8, 4, 2, 1, 0.5, 0.25, 0.125])
    angles = 2 * math.pi * time.numpy()[0][:, None] / periods
    np.testing.assert_allclose(out, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=1e-4)
    assert out[1, 0] == pytest.approx(1)  # a quarter of 16 s
    assert out[2, 7] == pytest.approx(1)  # a quarter of 1/8 s


def test_bias_is_minus_slope_times_distance() -> None:
    query_time, key_time = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.25, 3.0]])
    scores = torch.randn(1, 4, 2, 3)
    bias = TimeDistanceBias(4)(scores, query_time, key_time).detach() - scores
    distance = torch.tensor([[0.0, 0.25, 3.0], [1.0, 0.75, 2.0]])
    slopes = [8.0, 0.1, 8.0, 0.1]  # half of the heads start sharp, half nearly flat
    expected = torch.stack([-slope * distance for slope in slopes])[None]
    torch.testing.assert_close(bias, expected, rtol=1e-4, atol=1e-5)


def test_bias_never_rewards_distance_whatever_is_learned() -> None:
    layer = TimeDistanceBias(2)
    with torch.no_grad():
        layer.raw_slope.copy_(torch.tensor([-30.0, 5.0]))
    bias = layer(torch.zeros(1, 2, 1, 2), torch.tensor([[0.0]]), torch.tensor([[0.5, 2.0]]))
    assert (bias <= 0).all()
    bias.sum().backward()
    assert layer.raw_slope.grad is not None
    assert torch.isfinite(layer.raw_slope.grad).all()


def test_align_by_hand() -> None:
    """Cells [0, 0.5), [0.5, 1), [1, 1.5): two tokens, none (the nearest is the one at 1.1), one."""
    values = torch.tensor(
        [[[1.0], [3.0], [10.0], [777.0]], [[5.0], [777.0], [777.0], [777.0]], [[777.0]] * 4]
    )
    mask = torch.tensor([[True, True, True, False], [True, False, False, False], [False] * 4])
    time = torch.tensor([[0.1, 0.3, 1.1, 0.7], [1.4, 0.2, 0.2, 0.2], [0.2, 0.7, 1.2, 0.2]])
    grid = align(Tokens(values, mask, time), torch.tensor([0.25, 0.75, 1.25]), 0.5)
    assert grid[0, :, 0].tolist() == [2.0, 10.0, 10.0]
    assert grid[1, :, 0].tolist() == [5.0, 5.0, 5.0]
    assert grid[2, :, 0].tolist() == [0.0, 0.0, 0.0]


def test_align_does_not_let_padding_in() -> None:
    values = torch.full((1, 3, 2), torch.nan)
    values[0, 0] = torch.tensor([1.0, 2.0])
    mask = torch.tensor([[True, False, False]])
    grid = align(Tokens(values, mask, torch.zeros(1, 3)), torch.tensor([0.25, 9.25]), 0.5)
    assert grid.tolist() == [[[1.0, 2.0], [1.0, 2.0]]]


@given(
    times=st.lists(st.integers(0, 79).map(lambda k: k / 20 + 0.01), min_size=1, max_size=12),
    padding=st.integers(0, 3),
)
@settings(max_examples=50, deadline=None)
def test_align_agrees_with_a_loop(times: list[float], padding: int) -> None:
    n = len(times)
    values = torch.randn(1, n + padding, 3, generator=torch.Generator().manual_seed(n))
    time = torch.tensor([times + [0.5] * padding])
    centres = torch.arange(8) * 0.5 + 0.25
    grid = align(Tokens(values, torch.arange(n + padding)[None] < n, time), centres, 0.5)
    for cell, centre in enumerate(centres.tolist()):
        distance = np.abs(np.array(times) - centre)
        inside = np.flatnonzero(distance < 0.25)
        if len(inside):
            expected = values[0, inside].mean(dim=0)
            torch.testing.assert_close(grid[0, cell], expected, rtol=1e-5, atol=1e-6)
        else:
            near = np.flatnonzero(distance < distance.min() + 1e-6)
            assert any(torch.allclose(grid[0, cell], values[0, i]) for i in near)
