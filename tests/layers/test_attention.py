"""Masked attention against a NumPy softmax in double precision, and where no key may be seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmvideo.errors import InputError
from mmvideo.layers.attention import Attention, AttentionBlock, few

WIDTH, HEADS = 8, 2


def reference(layer: Attention, queries: np.ndarray, context: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """softmax(q kᵀ / √d) v, one clip, head and query at a time, over the allowed keys alone."""
    weights = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    q = queries @ weights["query.weight"].T + weights["query.bias"]
    k, v = np.split(context @ weights["key_value.weight"].T + weights["key_value.bias"], 2, axis=2)
    out = np.zeros_like(q)
    d = WIDTH // HEADS
    for b, i in np.ndindex(q.shape[:2]):
        keys = np.flatnonzero(allowed[b, i])
        if not len(keys):
            continue
        read = np.zeros(WIDTH)
        for h in range(HEADS):
            part = slice(h * d, (h + 1) * d)
            scores = k[b, keys, part] @ q[b, i, part] / np.sqrt(d)
            shares = np.exp(scores) / np.exp(scores).sum()
            read[part] = shares @ v[b, keys, part]
        out[b, i] = weights["out.weight"] @ read + weights["out.bias"]
    return out


@given(
    seed=st.integers(0, 10**6),
    density=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    queries=st.sampled_from([1, 3]),
    graded=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_it_is_the_softmax_over_the_allowed_keys(
    seed: int, density: float, queries: int, graded: bool
) -> None:
    torch.manual_seed(seed)
    layer = Attention(WIDTH, HEADS).double().train(graded)
    asking, context = torch.randn(2, queries, WIDTH).double(), torch.randn(2, 5, WIDTH).double()
    allowed = torch.rand(2, queries, 5) < density
    with torch.set_grad_enabled(graded):
        out = layer(asking, context, allowed)
    expected = reference(layer, asking.numpy(), context.numpy(), allowed.numpy())
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("keys", [5, 20])
def test_a_query_without_keys_gets_zeros_and_sends_no_gradient(keys: int) -> None:
    torch.manual_seed(0)
    layer = Attention(WIDTH, HEADS)
    queries = torch.randn(2, 3, WIDTH, requires_grad=True)
    context = torch.randn(2, keys, WIDTH, requires_grad=True)
    allowed = torch.ones(2, 3, keys, dtype=torch.bool)
    allowed[0, 1] = False
    allowed[1] = False
    out = layer(queries, context, allowed)
    assert torch.equal(out[0, 1], torch.zeros(WIDTH))
    assert torch.equal(out[1], torch.zeros(3, WIDTH))
    out.square().sum().backward()
    assert queries.grad is not None
    assert context.grad is not None
    for gradient in [queries.grad, context.grad, *(p.grad for p in layer.parameters())]:
        assert gradient is not None
        assert torch.isfinite(gradient).all()
    assert torch.equal(queries.grad[0, 1], torch.zeros(WIDTH))
    assert torch.equal(context.grad[1], torch.zeros(keys, WIDTH))
    assert (queries.grad[0, 0] != 0).any()


def test_what_may_not_be_seen_changes_nothing() -> None:
    torch.manual_seed(0)
    layer = Attention(WIDTH, HEADS)
    queries, context = torch.randn(1, 2, WIDTH), torch.randn(1, 4, WIDTH)
    allowed = torch.tensor([[[True, True, False, False], [True, False, False, False]]])
    other = context.clone()
    other[:, 2:] = 1e4
    torch.testing.assert_close(
        layer(queries, context, allowed), layer(queries, other, allowed), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        layer(queries, context, allowed), layer(queries, context[:, :2], allowed[:, :, :2]), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("rows", [1, 3])
def test_few_queries_read_the_same_as_many(rows: int) -> None:
    """Three queries among twenty keys go the short way, the same three among thirty the long one."""
    torch.manual_seed(0)
    layer = Attention(WIDTH, HEADS).double()
    queries, context = torch.randn(2, 3, WIDTH).double(), torch.randn(2, 20, WIDTH).double()
    allowed = torch.rand(2, rows, 20) < 0.7
    assert few(3, 20, WIDTH, HEADS)
    assert not few(30, 20, WIDTH, HEADS)
    short = layer(queries, context, allowed)
    long = layer(queries.repeat(1, 10, 1), context, allowed.repeat(1, 1 if rows == 1 else 10, 1))
    torch.testing.assert_close(short, long[:, :3])


def test_a_width_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="width 10 cannot be split over 4 heads"):
        Attention(10, 4)


class TestBlock:
    def test_it_starts_near_the_identity(self) -> None:
        torch.manual_seed(0)
        block = AttentionBlock(64)
        x = torch.randn(2, 5, 64)
        out = block(x, x, torch.ones(2, 5, 5, dtype=torch.bool))
        assert 0 < (out - x).std() < 0.1 * x.std()

    def test_without_keys_only_the_feed_forward_layer_acts(self) -> None:
        torch.manual_seed(0)
        block = AttentionBlock(WIDTH, HEADS)
        x, context = torch.randn(1, 2, WIDTH), torch.randn(1, 3, WIDTH)
        out = block(x, context, torch.zeros(1, 2, 3, dtype=torch.bool))
        torch.testing.assert_close(out, x + block.feed_forward(block.norm_ff(x)))

    def test_dropout_acts_in_training_only(self) -> None:
        torch.manual_seed(0)
        block = AttentionBlock(WIDTH, HEADS, dropout=0.5)
        x, allowed = torch.randn(1, 4, WIDTH), torch.ones(1, 4, 4, dtype=torch.bool)
        assert not torch.equal(block(x, x, allowed), block(x, x, allowed))
        block.eval()
        assert torch.equal(block(x, x, allowed), block(x, x, allowed))
