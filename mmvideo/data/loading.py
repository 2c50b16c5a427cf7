"""Batches in an order that is a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch.utils.data import DataLoader

from mmvideo.data.collate import AS_LONG_AS_NEEDED, collate
from mmvideo.data.dataset import ClipDataset, PermutedModalities, Sample
from mmvideo.seeding import derive_seed
from mmvideo.types import Batch

Order = Sequence[int] | Sequence[tuple[int, int]]
"""Samples' numbers, or the epoch and these."""


class SplitLoader:
    """The train and validation batches of a run.

    It is given no test clips, so nothing that holds it can read them.
    """

    def __init__(
        self,
        train: ClipDataset,
        val: ClipDataset,
        *,
        batch_size: int,
        seed: int,
        workers: int = 0,
        pad_to: Mapping[str, int] = AS_LONG_AS_NEEDED,
    ) -> None:
        self.train, self.val = train, val
        self.batch_size, self.seed, self.workers, self.pad_to = batch_size, seed, workers, pad_to
        self.order: list[tuple[int, int]] = []
        """Of the training epoch that loading processes are in: (epoch, sample)."""
        self.staying: dict[ClipDataset, DataLoader[Sample]] = {}

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Every training clip once, shuffled by (seed, epoch); the last batch may be smaller."""
        order = [(epoch, sample) for sample in epoch_order(len(self.train), self.seed, epoch)]
        if self.workers:
            self.order[:] = order
            order = self.order
        return self._batches(self.train, order)

    def val_batches(self) -> Iterator[Batch]:
        """Every validation clip once, in the manifest's order."""
        return self._batches(self.val, range(len(self.val)))

    def _batches(self, dataset: ClipDataset, order: Order) -> Iterator[Batch]:
        """Loading processes outlive the epoch, with what they remember of the clips."""
        if dataset in self.staying:
            return iter(self.staying[dataset])
        loader = _loader(dataset, self.batch_size, order, self.workers, self.pad_to)
        if self.workers:
            self.staying[dataset] = loader
        return iter(loader)


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """In which order an epoch goes through its clips."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator).tolist()


def in_batches(
    dataset: ClipDataset | PermutedModalities,
    batch_size: int,
    *,
    order: list[int] | None = None,
    workers: int = 0,
    pad_to: Mapping[str, int] = AS_LONG_AS_NEEDED,
) -> Iterator[Batch]:
    """The dataset's clips, each once, in the given order (None: their own)."""
    sampler = order if order is not None else range(len(dataset))
    return iter(_loader(dataset, batch_size, sampler, workers, pad_to))


def _loader(
    dataset: ClipDataset | PermutedModalities,
    batch_size: int,
    order: Order,
    workers: int,
    pad_to: Mapping[str, int],
) -> DataLoader[Sample]:
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=partial(collate, pad_to=pad_to),
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(0),  # or the loader would draw from the global one
    )
