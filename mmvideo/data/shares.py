"""One process's share of a run's batches, where several processes carry out the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from mmvideo.types import Batch

R = TypeVar("R", bound="Sequence[Any] | Tensor")


@dataclass(frozen=True)
class Share:
    """Which rows of every batch a process computes. Batches are those of a run in one process."""

    rank: int = 0
    processes: int = 1

    def rows(self, batch: R) -> R:
        """This process's rows of a batch, one part after the other.

        Where none is left for it, the first: what is made of that counts for nothing, but all processes
        compute the same steps.
        """
        own: Any = batch[self.part(len(batch))]
        return own if len(own) else batch[:1]  # type: ignore[return-value]

    def part(self, count: int) -> slice:
        """Where in a batch of so many rows they stand."""
        size = self.size(count)
        return slice(self.rank * size, (self.rank + 1) * size)

    def size(self, count: int) -> int:
        """The most rows that any process has of a batch of so many."""
        return -(-count // self.processes)


WHOLE = Share()


class Part(Batch):
    """A process's rows of a batch, with the ids of all its rows."""

    def __init__(self, own: Batch, whole: tuple[str, ...]) -> None:
        super().__init__(own.ids, own.inputs, own.labels)
        self.own, self.whole = own, whole

    def keep(self, keep: Bool[Tensor, "B M"]) -> Part:
        return Part(self.own.keep(keep), self.whole)

    def to(self, device: torch.device | str) -> Part:
        return Part(self.own.to(device), self.whole)

    def finished(self) -> Part:
        return Part(self.own.finished(), self.whole)

    def tensors(self) -> Iterator[Tensor]:
        return self.own.tensors()
