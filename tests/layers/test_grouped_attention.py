"""Streams: each must do what a block of its own would, and only that."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_layers import layer_norm
from numpy_tokens import stream_attention, stream_block

from mmvideo.errors import InputError
from mmvideo.layers.grouped_attention import StreamAttention, StreamBlock, ordered_pairs, stream_norm

WIDTH, HEADS = 8, 2


def draw(
    streams: int, batch: int, queries: int, keys: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random queries and context in float64; between one and all keys are real, at random places."""
    x, context = (
        torch.randn(streams, batch, queries, WIDTH).double(),
        torch.randn(streams, batch, keys, WIDTH),
    )
    real = torch.rand(streams, batch, keys) < 0.6
    real[..., 0] |= ~real.any(dim=2)
    return x, context.double(), real


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6)),
    graded=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_each_stream_is_a_transformer_block_of_its_own(
    seed: int, shape: tuple[int, int, int, int], graded: bool
) -> None:
    torch.manual_seed(seed)
    block = StreamBlock(shape[0], WIDTH, HEADS).double().train(graded)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.5)
    w = {name: p.detach().numpy() for name, p in block.named_parameters(prefix="b")}
    x, context, real = draw(*shape)
    with torch.set_grad_enabled(graded):
        crossed = block(x, real, stream_norm(context)).detach().numpy()
        itself = block(context, real).detach().numpy()
        first = block(context, real, first=1).detach().numpy()
    starts = real[:, :, 0].numpy()
    np.testing.assert_allclose(first[starts, 0], itself[starts, 0], rtol=1e-9, atol=1e-9)
    for g, b in np.ndindex(shape[:2]):
        there = real[g, b].numpy()
        keys = context[g, b].numpy()
        expected = stream_block(w, "b", g, x[g, b].numpy(), keys[there], HEADS)
        np.testing.assert_allclose(crossed[g, b], expected, rtol=1e-8, atol=1e-8)
        expected = stream_block(w, "b", g, keys[there], keys[there], HEADS)
        np.testing.assert_allclose(itself[g, b, there], expected, rtol=1e-8, atol=1e-8)


def test_attention_alone() -> None:
    torch.manual_seed(0)
    attention = StreamAttention(3, WIDTH, HEADS).double()
    w = {name: p.detach().numpy() for name, p in attention.named_parameters(prefix="a")}
    x, context, real = draw(3, 2, 4, 5)
    out = attention(x, context, real).detach().numpy()
    for g, b in np.ndindex(3, 2):
        keys = context[g, b, real[g, b]].numpy()
        np.testing.assert_allclose(
            out[g, b], stream_attention(w, "a", g, x[g, b].numpy(), keys, HEADS), rtol=1e-8, atol=1e-10
        )


def test_gradients_reach_the_stream_that_was_asked_and_no_other() -> None:
    torch.manual_seed(0)
    block = StreamBlock(3, WIDTH, HEADS)
    x = torch.randn(3, 2, 4, WIDTH, requires_grad=True)
    block(x, torch.ones(3, 2, 4, dtype=torch.bool))[1].square().sum().backward()
    for parameter in [x, *block.parameters()]:
        assert parameter.grad[1].abs().max() > 0
        assert parameter.grad[[0, 2]].abs().max() == 0


def test_norm_is_layer_norm_without_scale_and_shift() -> None:
    x = torch.randn(2, 3, 4, WIDTH).double()
    np.testing.assert_allclose(stream_norm(x).numpy(), layer_norm(x.numpy()), rtol=1e-9)


def test_pairs_are_all_ordered_ones_target_by_target() -> None:
    assert ordered_pairs(1).shape == (0, 2)
    assert ordered_pairs(3).tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    block = StreamBlock(2, WIDTH, HEADS, dropout=0.5)
    x, real = torch.randn(2, 1, 4, WIDTH), torch.ones(2, 1, 4, dtype=torch.bool)
    assert not torch.equal(block(x, real), block(x, real))
    block.eval()
    assert torch.equal(block(x, real), block(x, real))


def test_a_width_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="width 10 cannot be split over 4 heads"):
        StreamAttention(2, 10, 4)
