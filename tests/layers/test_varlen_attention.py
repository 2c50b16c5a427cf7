"""Attention in blocks: what each sequence alone gives, whatever padding lies between its tokens."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmvideo.layers.packing import Rows
from mmvideo.layers.varlen_attention import Blocks

G, B, N, D, HEADS = 2, 5, 8, 12, 3


def draw(seed: int) -> torch.Tensor:
    """Which tokens are real: at least one a sequence, with holes."""
    real = torch.rand(G, B, N, generator=torch.Generator().manual_seed(seed)) < 0.5
    real[..., seed % N] |= ~real.any(dim=2)
    return real


def one_by_one(q: torch.Tensor, k_v: torch.Tensor, asking: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Padded (G, B, N, D), zeros for padding: each sequence's real tokens in a call of their own."""
    out = torch.zeros_like(q)
    for g in range(G):
        for b in range(B):
            ours, theirs = asking[g, b], real[g, b]
            heads = [x.unflatten(1, (HEADS, -1)).transpose(0, 1) for x in k_v[g, b, theirs].chunk(2, dim=1)]
            own = q[g, b, ours].unflatten(1, (HEADS, -1)).transpose(0, 1)
            out[g, b, ours] = F.scaled_dot_product_attention(own, *heads).transpose(0, 1).flatten(1)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_it_is_each_sequence_by_itself(seed: int) -> None:
    asking, real = draw(seed), draw(seed + 10)
    ours, theirs = Rows(asking, 1000), Rows(real, 1000)
    torch.manual_seed(seed)
    q = torch.randn(G, B, N, D, dtype=torch.float64, requires_grad=True)
    k_v = torch.randn(G, B, N, 2 * D, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(G, B, N, D, dtype=torch.float64) * asking[..., None]

    def in_blocks() -> torch.Tensor:
        blocks = Blocks(ours, theirs)
        assert len(blocks.sequences) > 1
        return ours.unpack(blocks.attend(ours.pack(q), theirs.pack(k_v), HEADS))

    expected, found = one_by_one(q, k_v, asking, real), in_blocks()
    torch.testing.assert_close(found[asking], expected[asking])
    gradients = [torch.autograd.grad((out * weight).sum(), (q, k_v)) for out in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0])
    assert (gradients[1][1][~real] == 0).all(), "padding has no gradient"


def test_tokens_joined_behind_the_padding() -> None:
    """As the bottleneck tokens are: a sequence's tokens do not stand together in the packed rows."""
    real = draw(1)
    rows, more = Rows(real, 1000), torch.randn(G, B, 2, D)
    joint = rows.extended(2)
    x = torch.randn(G, B, N, D)
    padded = torch.cat([x, more], dim=2)
    packed = rows.join(rows.pack(x), more)
    found = joint.unpack(Blocks(joint, joint).attend(packed, torch.cat([packed, packed], dim=3), HEADS))
    expected = one_by_one(padded, torch.cat([padded, padded], dim=3), joint.real, joint.real)
    torch.testing.assert_close(found[joint.real], expected[joint.real])
