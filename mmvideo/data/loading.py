"""Batches in an order that is a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch.utils.data import DataLoader

from mmvideo.data.collate import AS_LONG_AS_NEEDED, collate
from mmvideo.data.dataset import ClipDataset, PermutedModalities, Sample
from mmvideo.data.shares import WHOLE, Part, Share
from mmvideo.seeding import derive_seed
from mmvideo.types import Batch

Rows = Sequence[int] | Sequence[tuple[int, int]]
"""Samples' numbers, or the epoch and these."""
Order = Sequence[Rows]
"""Of each batch."""


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
        share: Share = WHOLE,
    ) -> None:
        self.train, self.val = train, val
        self.batch_size, self.seed, self.workers, self.pad_to = batch_size, seed, workers, pad_to
        self.share = share
        self.order: list[Sequence[tuple[int, int]]] = []
        """Of the training epoch that loading processes are in, each batch's (epoch, sample)."""
        self.staying: dict[ClipDataset, DataLoader[Sample]] = {}

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        """Every training clip once, shuffled by (seed, epoch); the last batch may be smaller."""
        order = epoch_order(len(self.train), self.seed, epoch)
        rows: list[Sequence[tuple[int, int]]] = [
            [(epoch, sample) for sample in batch] for batch in cut(order, self.batch_size)
        ]
        own = [self.share.rows(batch) for batch in rows]
        if self.workers:
            self.order[:] = own
            own = self.order
        return _parts(self._batches(self.train, own), self.train, rows, self.share)

    def val_batches(self) -> Iterator[Batch]:
        """Every validation clip once, in the manifest's order."""
        rows = cut(range(len(self.val)), self.batch_size)
        own = [self.share.rows(batch) for batch in rows]
        return _parts(self._batches(self.val, own), self.val, rows, self.share)

    def _batches(self, dataset: ClipDataset, order: Order) -> Iterator[Batch]:
        """Loading processes outlive the epoch, with what they remember of the clips."""
        if dataset in self.staying:
            return iter(self.staying[dataset])
        loader = _loader(dataset, order, self.workers, self.pad_to)
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
    share: Share = WHOLE,
) -> Iterator[Batch]:
    """The dataset's clips, each once, in the given order (None: their own)."""
    rows = cut(order if order is not None else range(len(dataset)), batch_size)
    own = [share.rows(batch) for batch in rows]
    return _parts(iter(_loader(dataset, own, workers, pad_to)), dataset, rows, share)


def cut(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """The order in batches of a size; the last may be smaller."""
    return [order[first : first + size] for first in range(0, len(order), size)]


def _parts(
    batches: Iterator[Batch], dataset: ClipDataset | PermutedModalities, rows: Order, share: Share
) -> Iterator[Batch]:
    """A process's parts of the batches, each told whose part it is."""
    if share == WHOLE:
        return batches
    return (
        Part(batch, tuple(dataset.clip_id(row) for row in whole))
        for batch, whole in zip(batches, rows, strict=True)
    )


def _loader(
    dataset: ClipDataset | PermutedModalities,
    order: Order,
    workers: int,
    pad_to: Mapping[str, int],
) -> DataLoader[Sample]:
    return DataLoader(
        dataset,
        batch_sampler=order,  # type: ignore[arg-type]
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=partial(collate, pad_to=pad_to),
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(0),  # or the loader would draw from the global one
    )
