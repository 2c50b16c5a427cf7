"""This machine: runs in worker processes, as many as its cores hold, or on all of its GPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.schema import Positive
from mmvideo.studies.engines.base import Attempt, Ended, Engine, Workers, attempt
from mmvideo.studies.engines.gpus import Cards, GpuWorkers
from mmvideo.workers import Pool, of_threads


class LocalEngine(Engine):
    """Worker processes on this machine: each serves one run after another, and may die alone."""

    class Config(Engine.Config):
        """On CPU, `--workers` is all there is to say."""

        gpus: tuple[int, ...] | None = None
        """Which GPUs, by their place among those that are visible; None: all."""
        runs_per_gpu: Positive | None = None
        """Runs at once on a GPU. None: where `--workers` is given, that many shared out over the GPUs; else
        one, and further ones as long as twice the memory that a run there was seen to take is free."""

    options: Config

    def __init__(self, options: Engine.Config, cards: Cards | None = None) -> None:
        super().__init__(options)
        self._cards = cards or Cards()

    def check(self) -> None:
        if self.options.gpus is None:
            return
        here = self._cards.names()
        if strange := [index for index in self.options.gpus if not 0 <= index < len(here)]:
            known = f"0 to {len(here) - 1}" if here else "none"
            raise InputError(f"--engine.gpus {strange[0]}: there is no such GPU; visible here: {known}.")

    def at_once(self, config: RunConfig, workers: int | None) -> int:
        gpus = self._gpus([config])
        if workers is not None or not gpus:
            return workers or default_workers(config)
        return len(gpus) * (self.options.runs_per_gpu or 1)

    def open(
        self, configs: Sequence[RunConfig], folder: Path, workers: int | None
    ) -> AbstractContextManager[Workers]:
        self.check()
        threads = max(config.runtime.threads for config in configs)
        gpus = self._gpus(configs)
        if not gpus:
            most = min(workers or default_workers(configs[0]), len(configs))
            return Pool[Attempt, Ended](attempt, workers=most, environment=of_threads(threads))
        each = self.options.runs_per_gpu
        if each is None and workers is not None:
            each = -(-workers // len(gpus))
        processes = threads + max(config.runtime.loader_workers for config in configs)
        most = workers or max(len(gpus) * (each or 1), cores() // processes)
        return GpuWorkers(gpus, self._cards, threads=threads, most=most, each=each)

    def _gpus(self, configs: Sequence[RunConfig]) -> list[str]:
        """The GPUs that runs are given one each of; none, where they are on the CPU, or take several."""
        if all(config.runtime.device == "cpu" or config.runtime.devices > 1 for config in configs):
            return []
        here = self._cards.names()
        return here if self.options.gpus is None else [here[index] for index in self.options.gpus]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(config: RunConfig) -> int:
    """One where processes share a GPU; on a CPU, as many as its cores hold at `runtime.threads` for each of
    a run's processes."""
    if config.runtime.device != "cpu":
        import torch

        if torch.cuda.is_available():
            return 1
    return max(1, cores() // (config.runtime.threads * config.runtime.devices))
