"""The GPUs of this machine, and how many runs at once each takes: as many as its memory is seen to hold."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from mmvideo.studies.engines.base import Attempt, Ended, attempt
from mmvideo.workers import NoAnswer, Pool, of_threads

MARGIN = 2.0
"""How many times the memory that a run was seen to take must be free for another, whose arm may take more."""
OUT_OF_MEMORY = "OutOfMemoryError"
"""How the reason of a run begins that found no room on its GPU."""


class Cards:
    """What is known of this machine's GPUs. Tests put made-up ones in its place."""

    def names(self) -> list[str]:
        """The visible GPUs, as CUDA_VISIBLE_DEVICES takes them. Nothing is kept on any of them."""
        import torch

        if not torch.cuda.is_available():
            return []
        given = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        if all(name.startswith(("GPU-", "MIG-")) for name in given):
            return given
        count = torch.cuda.device_count()
        return [f"GPU-{torch.cuda.get_device_properties(index).uuid}" for index in range(count)]

    def free(self) -> Mapping[str, float]:
        """Free memory in MB, of those GPUs that the driver's own program tells of."""
        query = ["nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits"]
        try:
            told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout
        except (OSError, subprocess.SubprocessError):
            return {}  # then each GPU has one run at a time
        rows = (line.split(", ") for line in told.splitlines())
        return {name: float(free) for name, free in rows if free.replace(".", "").isdigit()}


class GpuWorkers:
    """Attempts on several GPUs, by a pool of processes each; `Workers`.

    A GPU takes a first run at once, and another one when those on it have been through a whole epoch and
    `MARGIN` times what a run there takes is free. A run that found no memory beside others is tried once more
    alone.

    Args:
        gpus: as CUDA_VISIBLE_DEVICES takes them.
        threads: of a run.
        most: runs at once on all of them.
        each: runs at once on one of them; None: by memory.
    """

    def __init__(self, gpus: Sequence[str], cards: Cards, *, threads: int, most: int, each: int | None):
        self._cards, self._most, self._each = cards, most, each
        only = len(gpus) == 1 and cards.names() == list(gpus)  # nothing to choose from
        self._pools = {
            gpu: Pool[Attempt, Ended](
                attempt,
                workers=most,
                environment=of_threads(threads) | ({} if only else {"CUDA_VISIBLE_DEVICES": gpu}),
            )
            for gpu in gpus
        }
        self._waiting = deque[Attempt]()
        self._on: dict[str, list[Attempt]] = {gpu: [] for gpu in gpus}
        self._processes = dict.fromkeys(gpus, 0)
        """By GPU, the most runs that it has had at once: their processes stay, and keep what they took."""
        self._since: dict[str, int] = {}
        """By label, the training state that a run began with."""
        self._shared, self._alone = set[str](), set[str]()
        self._before: Mapping[str, float] = {}

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        for pool in self._pools.values():
            self._stack.enter_context(pool)
        self._before = self._cards.free()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def give(self, job: Attempt) -> None:
        self._waiting.append(job)

    @property
    def running(self) -> list[Attempt]:
        return [one for pool in self._pools.values() for one in pool.running]

    @property
    def unfinished(self) -> int:
        return len(self._waiting) + sum(map(len, self._on.values()))

    def ended(self, timeout: float) -> list[tuple[Attempt, Ended | NoAnswer]]:
        self._hand_out()
        busy = [gpu for gpu, there in self._on.items() if there]
        found = [(gpu, *one) for gpu in busy for one in self._pools[gpu].ended(timeout / len(busy))]
        return [(one, answer) for gpu, one, answer in found if not self._again(gpu, one, answer)]

    def _again(self, gpu: str, one: Attempt, answer: Ended | NoAnswer) -> bool:
        """Take the attempt off its GPU; whether it is to be tried again, with a GPU to itself."""
        self._on[gpu].remove(one)
        crowded = one.label in self._shared and answer.reason.startswith(OUT_OF_MEMORY)
        self._shared.discard(one.label)
        if crowded:
            self._alone.add(one.label)
            self._waiting.appendleft(one)
        return crowded

    def _hand_out(self) -> None:
        while self._waiting and sum(map(len, self._on.values())) < self._most:
            one = self._waiting[0]
            gpu = next(self._with_room(one), None)
            if gpu is None:
                break
            self._waiting.popleft()
            there = self._on[gpu]
            there.append(one)
            self._processes[gpu] = max(self._processes[gpu], len(there))
            self._since[one.label] = one.run.saved
            if len(there) > 1:
                self._shared |= {other.label for other in there}
            self._pools[gpu].give(one)

    def _with_room(self, one: Attempt) -> Iterator[str]:
        """The GPUs that can take it, those with the fewest runs first."""
        free: Mapping[str, float] | None = None
        for gpu in sorted(self._on, key=lambda name: len(self._on[name])):
            there = self._on[gpu]
            if not there:
                yield gpu
            elif one.label in self._alone or any(other.label in self._alone for other in there):
                continue
            elif self._each is not None:
                if len(there) < self._each:
                    yield gpu
            elif len(there) < self._processes[gpu]:
                yield gpu
            elif all(other.run.saved != self._since[other.label] for other in there):
                free = self._cards.free() if free is None else free
                if gpu in free and gpu in self._before:
                    taken = (self._before[gpu] - free[gpu]) / self._processes[gpu]
                    if free[gpu] >= MARGIN * max(taken, 0.0):
                        yield gpu
