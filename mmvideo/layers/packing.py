"""The real tokens of padded sequences, close together: maps of single tokens need not see the padding."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

WORTHWHILE = 24
"""Moving tokens of width D pays if the share of them that is left out is at least this by D."""


class Rows:
    """Where the real tokens of G × B sequences stand, padded and packed.

    Packed, a stream's real tokens are one sequence (G, 1, R, D), R a little more than the most that a stream
    has; what is left over holds some of the padding. As before, nobody may read padding: that is what makes
    its gradient zero, on which both directions rely. Where packing does not pay, or would keep the processor
    from running ahead (on a GPU, in a compiled graph: R depends on the data), `pack` and `unpack` return what
    they are given.

    Args:
        real: which tokens are real.
        width: D of the tokens; 0: leave all where they are.
    """

    def __init__(self, real: Bool[Tensor, "G B N"], width: int) -> None:
        self.real = real
        self.moves: tuple[Int[Tensor, "G R"], Int[Tensor, "G BN"]] | None = None
        if width < WORTHWHILE or real.device.type != "cpu" or torch.compiler.is_compiling():
            return
        flat = real.flatten(1)
        most = int(flat.sum(dim=1).max()) + 1
        if width * (1 - most / flat.shape[1]) >= WORTHWHILE:
            order = flat.argsort(dim=1, descending=True, stable=True)
            place = torch.empty_like(order).scatter_(1, order, torch.arange(flat.shape[1]).expand_as(order))
            self.moves = order[:, :most], place.clamp(max=most - 1)

    @property
    def packed(self) -> bool:
        """Whether `pack` packs."""
        return self.moves is not None

    def counts(self) -> Int[Tensor, "G B"]:
        """Real tokens of each sequence."""
        return self.real.sum(dim=2)

    def by_sequence(self) -> Int[Tensor, "G R"]:
        """Numbers of the packed rows: those of a stream's first sequence, its second, …, and of padding."""
        assert self.moves is not None
        there, _ = self.moves
        _, batch, length = self.real.shape
        sequence = torch.where(self.real.flatten(1).gather(1, there), there // length, batch)
        return sequence.argsort(dim=1, stable=True)

    def of(self, streams: Int[Tensor, " S"]) -> Rows:
        """The rows of some of the streams, in that order; also several times the same."""
        chosen = Rows.__new__(Rows)
        chosen.real = self.real[streams]
        chosen.moves = None if self.moves is None else (self.moves[0][streams], self.moves[1][streams])
        return chosen

    def extended(self, count: int) -> Rows:
        """The rows of sequences with `count` more real tokens at the end, as `join` makes them."""
        streams, batch, length = self.real.shape
        longer = Rows.__new__(Rows)
        longer.real = torch.cat([self.real, self.real.new_ones(streams, batch, count)], dim=2)
        longer.moves = None
        if self.moves is not None:
            there, back = self.moves
            there = there + there // length * count
            new = torch.arange(batch * count).reshape(batch, count)
            from_new = new + (torch.arange(batch)[:, None] + 1) * length
            to_new = (new + there.shape[1]).expand(streams, -1, -1)
            longer.moves = (
                torch.cat([there, from_new.flatten().expand(streams, -1)], dim=1),
                torch.cat([back.unflatten(1, (batch, length)), to_new], dim=2).flatten(1),
            )
        return longer

    def join(self, x: Float[Tensor, "G _ _ D"], more: Float[Tensor, "G B C D"]) -> Float[Tensor, "G _ _ D"]:
        """Packed `x` with more tokens for every sequence, packed as `extended` says."""
        return torch.cat([x, more if self.moves is None else more.flatten(1, 2)[:, None]], dim=2)

    def split(self, x: Float[Tensor, "G _ _ D"]) -> tuple[Float[Tensor, "G _ _ D"], Float[Tensor, "G B C D"]]:
        """What `join` put together."""
        if self.moves is None:
            return x[:, :, : self.real.shape[2]], x[:, :, self.real.shape[2] :]
        old = self.moves[0].shape[1]
        return x[:, :, :old], x[:, 0, old:].unflatten(1, (self.real.shape[1], -1))

    def pack(self, x: Float[Tensor, "G B N D"]) -> Float[Tensor, "G _ _ D"]:
        """Padded sequences without most of their padding, (G, 1, R, D)."""
        if self.moves is None:
            return x
        there, back = self.moves
        return move(x.flatten(1, 2), there, back)[:, None]

    def unpack(self, x: Float[Tensor, "G _ _ D"]) -> Float[Tensor, "G B N D"]:
        """The opposite; padding holds anything finite."""
        if self.moves is None:
            return x
        there, back = self.moves
        return move(x.squeeze(1), back, there).unflatten(1, self.real.shape[1:])

    def first(self, x: Float[Tensor, "G _ _ D"], count: int) -> Float[Tensor, "G B count D"]:
        """The first `count` tokens of every sequence, padded."""
        if self.moves is None:
            return x[:, :, :count]
        place = self.moves[1].unflatten(1, self.real.shape[1:])[:, :, :count]
        return x.squeeze(1)[torch.arange(len(x))[:, None, None], place]


class _Move(torch.autograd.Function):
    """Rows (G, S, D) → rows (G, T, D); backward moves back, which costs less than adding up by index."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.moves = there, back
        offset = torch.arange(len(x))[:, None] * x.shape[1]
        moved = x.reshape(-1, x.shape[2]).index_select(0, (there + offset).flatten())
        return moved.unflatten(0, there.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        there, back = ctx.moves
        return _Move.apply(gradients[0], back, there), None, None


def move(
    x: Float[Tensor, "G S D"], there: Int[Tensor, "G T"], back: Int[Tensor, "G S"]
) -> Float[Tensor, "G T D"]:
    """Rows `there` of `x`; the gradient of row s is that of row back[s], and of no other."""
    moved: Tensor = _Move.apply(x, there, back)
    return moved
