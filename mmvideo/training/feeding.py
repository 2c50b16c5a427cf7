"""Batches on the device, copied while the one before is computed on, and finished there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from mmvideo.types import Batch


def on_device(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """The batches on the device, in order, with nothing pending of their inputs.

    On a GPU each is copied by a stream of its own, from memory that the loader has pinned, before the one
    ahead of it is handed out: so a copy and a step go on at once. Elsewhere there is nothing to overlap.
    """
    if device.type != "cuda":
        yield from (batch.to(device).finished() for batch in batches)
        return
    copying, waiting = torch.cuda.Stream(device), None
    for batch in batches:
        with torch.cuda.stream(copying):
            copied = batch.to(device)
            done = copying.record_event()
        if waiting is not None:
            yield _handed_over(*waiting)
        waiting = copied, done
    if waiting is not None:
        yield _handed_over(*waiting)


def _handed_over(batch: Batch, copied: torch.cuda.Event) -> Batch:
    """The batch for the stream that computes, which waits for the copy, and holds the memory till then."""
    computing = torch.cuda.current_stream()
    computing.wait_event(copied)
    for tensor in batch.tensors():
        tensor.record_stream(computing)
    return batch.finished()
