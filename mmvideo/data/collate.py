"""Samples to one batch: padded to the longest, with masks; what is absent stays in as an all-False mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmvideo.data.dataset import Sample
from mmvideo.types import Batch, Tokens


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of samples with the same modalities. A sequence is never shorter than one (padded) item.

    Labels become (B,) int64 class indices, (B, C) float of 0 and 1 (multi-label), or (B,) float (regression).
    """
    inputs = {m: _pad([sample.inputs[m] for sample in samples]) for m in samples[0].inputs}
    labels = torch.tensor([sample.label for sample in samples])
    return Batch(tuple(sample.id for sample in samples), inputs, labels)


def _pad(items: list[tuple[Tensor, Tensor]]) -> Tokens:
    longest = max(1, *(len(values) for values, _ in items))
    first = items[0][0]
    values = first.new_zeros(len(items), longest, *first.shape[1:])
    time = torch.zeros(len(items), longest)
    mask = torch.zeros(len(items), longest, dtype=torch.bool)
    for row, (value, times) in enumerate(items):
        values[row, : len(value)], time[row, : len(value)], mask[row, : len(value)] = value, times, True
    return Tokens(values, mask, time)
