"""Attention over packed tokens, a block of sequences of similar length at a time: few scores of padding."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mmvideo.layers.packing import Rows, move

PARTS = 3
"""Sequences are cut into as many parts by number of queries, and each of these by number of keys."""


class Blocks:
    """Which of G × B sequences attend in one call: those with about as many queries and about as many keys.

    Within a block, a sequence is its real tokens alone, padded to the longest of the block. Attention does
    not depend on where among its keys a token stands, so tokens close ranks whatever padding lay between.

    Args:
        asking: how the queries are packed; they must be (`Rows.packed`).
        readable: how keys and values are packed, for the same streams; every sequence has one to read.
    """

    def __init__(self, asking: Rows, readable: Rows) -> None:
        queries, keys = asking.counts().flatten(), readable.counts().flatten()
        self.sequences = [
            block
            for part in queries.argsort(stable=True).chunk(PARTS)
            for block in part[keys[part].argsort(stable=True)].chunk(PARTS)
        ]
        self.keys = keys
        self.asking = _Ragged(asking, queries, self.sequences)
        self.readable = _Ragged(readable, keys, self.sequences)

    def attend(
        self, q: Float[Tensor, "G 1 R D"], k_v: Float[Tensor, "G 1 S E"], heads: int
    ) -> Float[Tensor, "G 1 R D"]:
        """What each query reads; zeros for padding. E = 2 D, the keys before the values."""
        read = []
        ours, theirs = self.asking.take(q), self.readable.take(k_v)
        for chosen, of_queries, of_keys in zip(self.sequences, ours, theirs, strict=True):
            split = of_queries.unflatten(2, (heads, -1)).transpose(1, 2)
            k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in of_keys.chunk(2, dim=2))
            real = torch.arange(k.shape[2]) < self.keys[chosen, None, None, None]
            read.append(F.scaled_dot_product_attention(split, k, v, attn_mask=real).transpose(1, 2))
        return self.asking.put(read, q.shape)


class _Ragged:
    """The tokens of packed sequences, block after block, and one row more that stands for all padding."""

    def __init__(self, rows: Rows, counts: Int[Tensor, " GB"], blocks: list[Int[Tensor, " _"]]) -> None:
        by_sequence = rows.by_sequence()  # numbers of packed rows (G, R), sequence by sequence, padding last
        streams, length = by_sequence.shape
        offset = torch.arange(streams)[:, None] * length
        by_sequence = (by_sequence + offset).flatten()
        within = counts.unflatten(0, (streams, -1))
        starts = (within.cumsum(1) - within + offset).flatten()
        padding = by_sequence[length - 1 : length]
        self.shapes = [(len(block), int(counts[block].max())) for block in blocks]
        parts = []
        for block, (_, longest) in zip(blocks, self.shapes, strict=True):
            place = torch.arange(longest)
            real = place < counts[block, None]
            parts.append(
                torch.where(real, by_sequence[starts[block, None] + place * real], padding).flatten()
            )
        self.there = torch.cat([*parts, padding])[None]
        last = len(self.there[0]) - 1
        self.back = self.there.new_full((1, streams * length), last)
        self.back[0, self.there[0]] = torch.arange(last + 1)
        self.back[0, padding] = last

    def take(self, x: Float[Tensor, "G 1 R D"]) -> list[Float[Tensor, "_ _ D"]]:
        """Each block's tokens."""
        moved = move(x.flatten(0, 2)[None], self.there, self.back)[0]
        parts = moved.split([n * longest for n, longest in self.shapes] + [1])
        return [part.unflatten(0, shape) for part, shape in zip(parts, self.shapes, strict=False)]

    def put(self, parts: list[Float[Tensor, "_ _ H d"]], shape: torch.Size) -> Float[Tensor, "G 1 R D"]:
        """The opposite."""
        rows = [part.reshape(-1, shape[3]) for part in parts]
        rows.append(rows[0].new_zeros(1, shape[3]))
        return move(torch.cat(rows)[None], self.back, self.there).view(shape)
