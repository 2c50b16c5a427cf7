"""Samples to one batch: padded to one length, with masks; what is absent stays in as an all-False mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from mmvideo.data.dataset import Sample
from mmvideo.types import Batch, Tokens

AS_LONG_AS_NEEDED: Mapping[str, int] = MappingProxyType({})
BUCKETS = 4
"""Lengths that a modality's batches are padded to, unless `pad_to` says otherwise."""
USUAL = 8
"""A multiple to pad to, where nobody knows how long a modality's sequences may get."""


def bucket(longest: int | None) -> int:
    """The multiple to which lengths are rounded up, so that sequences of up to `longest` come in few lengths
    and the longest ones, which windows of one length all are, are hardly padded."""
    return USUAL if longest is None else -(-longest // BUCKETS)


def collate(samples: Sequence[Sample], pad_to: Mapping[str, int] = AS_LONG_AS_NEEDED) -> Batch:
    """One batch of samples with the same modalities. A sequence is never shorter than one (padded) item.

    Its length is that of the longest sample, rounded up to a multiple of what `pad_to` says of the modality.

    Labels become (B,) int64 class indices, (B, C) float of 0 and 1 (multi-label), or (B,) float (regression).
    """
    inputs = {}
    for m in samples[0].inputs:
        tokens = _pad([sample.inputs[m] for sample in samples], pad_to.get(m, 1))
        if m in samples[0].pending:
            first, *others = (sample.pending[m] for sample in samples)
            tokens = replace(tokens, pending=first.together(others))
        inputs[m] = tokens
    labels = torch.tensor([sample.label for sample in samples])
    return Batch(tuple(sample.id for sample in samples), inputs, labels)


def _pad(items: list[tuple[Tensor, Tensor]], multiple: int) -> Tokens:
    lengths = torch.tensor([len(values) for values, _ in items])
    longest = -(-max(1, int(lengths.max())) // multiple) * multiple
    values, time = (_stack(parts, longest) for parts in zip(*items, strict=True))
    return Tokens(values, torch.arange(longest) < lengths[:, None], time)


def _stack(parts: Sequence[Tensor], length: int) -> Tensor:
    """The parts (n, ...) above each other, zeros behind each up to `length`. (B, length, ...).

    Pictures whose channels lie last in memory, as the store has them, stay so. Of pictures of several sizes
    smaller ones have zeros below and to the right.
    """
    if parts[0].ndim == 4 and parts[0].stride(1) == 1 < parts[0].stride(3):
        return _stack([part.movedim(1, 3) for part in parts], length).movedim(4, 2)
    if all(part.shape == (length, *parts[0].shape[1:]) for part in parts):
        return torch.stack(list(parts))  # in one go, where there is nothing to fill up
    sizes = [
        max(length for length in lengths) for lengths in zip(*(part.shape[1:] for part in parts), strict=True)
    ]
    stacked = parts[0].new_zeros(len(parts), length, *sizes)
    for row, part in zip(stacked, parts, strict=True):
        row[tuple(map(slice, part.shape))] = part
    return stacked
