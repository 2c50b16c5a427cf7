"""Made-up items of each kind of modality, as its encoders are given them."""

from __future__ import annotations

import torch
from torch import Tensor

MADE_UP = ("visual", "audio", "text", "features")
"""Kinds of modality whose items can be made up: those that come with mmvideo."""
FEATURES, WORD_PIECES = 6, 20
"""Entries of a vector of precomputed features; word pieces there are."""


def frames(count: int, seed: int, size: int) -> Tensor:
    """(N, 3, size, size) uint8."""
    return torch.randint(0, 256, (count, 3, size, size), generator=_generator(seed)).byte()


def hops(count: int, seed: int, hop: int) -> Tensor:
    """Noise in items of `hop` samples, (N, hop) float."""
    return 0.1 * torch.randn(count, hop, generator=_generator(seed))


def word_pieces(count: int, seed: int) -> Tensor:
    """Ids (N,) int64; 0, which stands in padding, is none of them."""
    return torch.randint(1, WORD_PIECES, (count,), generator=_generator(seed))


def windowed_pieces(count: int, seed: int) -> Tensor:
    """The same in windows of four, with one that is special and one of a prompt in each, (N, 3) int64."""
    places = torch.arange(count)
    special, prompt, text = 2, 1, 0
    of = torch.tensor([special, prompt, text, text])[places % 4]
    return torch.stack([word_pieces(count, seed), places // 4, of], dim=1)


def vectors(count: int, seed: int) -> Tensor:
    """(N, FEATURES) float."""
    return torch.randn(count, FEATURES, generator=_generator(seed))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(2000 + seed)
