"""Pooling against its formula in NumPy; padding and absent sequences leave no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvideo.layers.pooling import POOLS, AdditivePool, MeanPool, SegmentPool, make_pool
from mmvideo.types import Tokens

WIDTH, LONGEST = 6, 9


def tokens(lengths: list[int], longest: int, *, garbage: float = 0.0) -> Tokens:
    """Clips of the given lengths; `garbage` stands in the padding."""
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    values = torch.randn(len(lengths), LONGEST, WIDTH, generator=torch.Generator().manual_seed(1))[
        :, :longest
    ]
    return Tokens(torch.where(mask[..., None], values, garbage), mask, torch.zeros(len(lengths), longest))


def test_mean_pool_by_hand() -> None:
    values = torch.tensor([[[1.0, 10.0], [3.0, 30.0], [99.0, 99.0]]])
    pooled, weights = MeanPool()(Tokens(values, torch.tensor([[True, True, False]]), torch.zeros(1, 3)))
    assert pooled.tolist() == [[2.0, 20.0]]
    assert weights.tolist() == [[0.5, 0.5, 0.0]]


def test_additive_pool_is_its_formula() -> None:
    torch.manual_seed(0)
    pool = AdditivePool(WIDTH).double()
    clips = tokens([4, 1, 3], 4)
    pooled, weights = pool(Tokens(clips.values.double(), clips.mask, clips.time))
    w, b = pool.hidden.weight.detach().numpy(), pool.hidden.bias.detach().numpy()
    v = pool.score.weight.detach().numpy()[0]
    for row, length in enumerate([4, 1, 3]):
        x = clips.values[row, :length].double().numpy()
        scores = np.tanh(x @ w.T + b) @ v
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(weights[row, :length].detach().numpy(), shares, rtol=1e-12)
        np.testing.assert_allclose(pooled[row].detach().numpy(), shares @ x, rtol=1e-12)
        assert not weights[row, length:].any()


def test_segment_pool_is_interpolation_in_time() -> None:
    torch.manual_seed(0)
    pool = SegmentPool(WIDTH).double()
    clips = tokens([9, 1, 4], 9)
    pooled, _ = pool(Tokens(clips.values.double(), clips.mask, clips.time))
    w, b = pool.project.weight.detach().numpy(), pool.project.bias.detach().numpy()
    centres = (np.arange(12) + 0.5) / 12
    for row, length in enumerate([9, 1, 4]):
        x = clips.values[row, :length].double().numpy()
        distance = np.abs((np.arange(length) + 0.5)[:, None] / length - centres[None])
        near = np.maximum(0, 1 - distance / max(1 / length, 1 / 12))
        parts = (near / near.sum(axis=0)).T @ x
        np.testing.assert_allclose(pooled[row].detach().numpy(), w @ parts.ravel() + b, atol=1e-6)


def test_segment_pool_tells_a_sequence_from_its_reverse_and_mean_pool_does_not() -> None:
    torch.manual_seed(0)
    clips = tokens([9], 9)
    back = Tokens(clips.values.flip(1), clips.mask, clips.time)
    segments, mean = SegmentPool(WIDTH), MeanPool()
    assert (segments(clips)[0] - segments(back)[0]).abs().max() > 0.1
    torch.testing.assert_close(mean(clips)[0], mean(back)[0])


@pytest.mark.parametrize("name", POOLS)
@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    more=st.integers(0, 4),
    garbage=st.sampled_from([0.0, -7.0, 1e4]),
)
@settings(max_examples=25, deadline=None)
def test_padding_changes_nothing(name: str, lengths: list[int], more: int, garbage: float) -> None:
    torch.manual_seed(0)
    pool = make_pool(name, WIDTH)
    pooled, weights = pool(tokens(lengths, 5))
    longer, longer_weights = pool(tokens(lengths, 5 + more, garbage=garbage))
    torch.testing.assert_close(longer, pooled, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(longer_weights[:, :5], weights, rtol=1e-5, atol=1e-6)
    expected = torch.tensor([float(length > 0) for length in lengths])
    torch.testing.assert_close(weights.sum(dim=1), expected)


@pytest.mark.parametrize("name", POOLS)
def test_an_empty_sequence_pools_to_zeros_with_finite_gradients(name: str) -> None:
    torch.manual_seed(0)
    pool = make_pool(name, WIDTH)
    clips = tokens([0, 3], 3)
    clips.values.requires_grad_()
    pooled, weights = pool(clips)
    assert torch.equal(pooled[0], torch.zeros(WIDTH))
    assert torch.equal(weights[0], torch.zeros(3))
    pooled.square().sum().backward()
    gradients = [clips.values.grad, *(p.grad for p in pool.parameters())]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert clips.values.grad is not None
    assert not clips.values.grad[0].any()
