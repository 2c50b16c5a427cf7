"""Attention across groups against plain attention with a mask, in double precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.cross_attention import AcrossBlock
from mmvideo.layers.time import TimeDistanceBias

WIDTH, HEADS, COUNTS = 8, 2, (3, 4, 2)
OWNER = torch.tensor([group for group, count in enumerate(COUNTS) for _ in range(count)])
READS = {"all": [[1, 2], [0, 2], [0, 1]], "one way": [[1, 2], [], [0]]}


def masked(block: AttentionBlock, x: torch.Tensor, allowed: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """What the block does, written with one mask over all tokens."""
    attention = block.attention
    q = attention.split(attention.query(block.norm_query(x)))
    k, v = (attention.split(p) for p in attention.key_value(block.norm_context(x)).chunk(2, dim=2))
    scores = q @ k.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + bias
    shares = torch.softmax(scores.masked_fill(~allowed[:, None], float("-inf")), dim=3).nan_to_num()
    read = attention.out((shares @ v).transpose(1, 2).flatten(2))
    return block.finish(x, torch.where(allowed.any(dim=2, keepdim=True), read, 0.0))


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("biased", [True, False])
def test_it_is_attention_to_the_groups_that_are_read(biased: bool, reads: str) -> None:
    torch.manual_seed(0)
    block, layer = AcrossBlock(WIDTH, HEADS).double(), TimeDistanceBias(HEADS).double()
    x = torch.randn(4, len(OWNER), WIDTH).double()
    time, real = torch.rand(4, len(OWNER)).double(), torch.rand(4, len(OWNER)) < 0.6
    real[0] = OWNER == 1  # its own group alone, which reads nothing
    real[1] = False
    pairs = torch.zeros(3, 3, dtype=torch.bool)
    for group, others in enumerate(READS[reads]):
        pairs[group, others] = True
    allowed = pairs[OWNER][:, OWNER] & real[:, None]
    slope = F.softplus(layer.raw_slope)[:, None, None]
    distance = (time[:, None, :, None] - time[:, None, None, :]).abs()
    bias = -slope * distance if biased else torch.zeros(1).double()
    found = block(x, real, COUNTS, READS[reads], layer if biased else None, time)
    torch.testing.assert_close(found, masked(block, x, allowed, bias))
    found.square().sum().backward()
    gradients = [p.grad for p in (*block.parameters(), *(layer.parameters() if biased else ()))]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
