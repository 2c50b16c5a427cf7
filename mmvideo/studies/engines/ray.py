"""A Ray cluster: each run is a task, tried again elsewhere when its worker or node dies.

Only text travels. What a run leaves goes to disk, in a file system that all nodes share, so that it outlives
tasks, nodes and this process.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import annotated_types as at

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.schema import NotNegative, PositiveFloat
from mmvideo.studies.engines.base import Attempt, Ended, Engine, Workers
from mmvideo.studies.engines.parcel import carry_out, pack
from mmvideo.workers import NoAnswer, of_threads

SECONDS_TO_ANSWER = 10.0


class RayEngine(Engine):
    """Core tasks of Ray, which go on from the last finished epoch when they are retried."""

    class Config(Engine.Config):
        """What a run asks of a node, and where the cluster is."""

        address: str | None = None
        """Of the cluster, as `host:6379`; None: that of RAY_ADDRESS, else the one this machine belongs to,
        else one is started on this machine for as long as the study lasts."""
        cpus: PositiveFloat | None = None
        """Of each run; None: `runtime.threads` and `runtime.loader_workers`."""
        gpus: NotNegative | None = None
        """Of each run; 0.5: two share a GPU. None: one, where the cluster has any and `runtime.device` is not
        `cpu`."""
        retries: Annotated[int, at.Ge(0)] = 3
        """How often a run is tried again whose worker or node died."""

    options: Config

    def check(self) -> None:
        _library()
        _reach(self.options.address)

    def at_once(self, config: RunConfig, workers: int | None) -> int | None:
        return workers

    @contextmanager
    def open(self, configs: Sequence[RunConfig], folder: Path, workers: int | None) -> Iterator[Workers]:
        ray = _library()
        ours = not ray.is_initialized()
        if ours:
            _reach(self.options.address)
            _connect(ray, self.options.address)
        threads = max(config.runtime.threads for config in configs)
        cpus = self.options.cpus or threads + max(config.runtime.loader_workers for config in configs)
        gpus = self.options.gpus
        if gpus is None:
            on_gpus = any(config.runtime.device != "cpu" for config in configs)
            gpus = float(on_gpus and ray.cluster_resources().get("GPU", 0) > 0)
        _tell_of_room(ray, cpus, gpus)
        asked = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": self.options.retries}
        opened = RayWorkers(ray, ray.remote(**asked)(carry_out), threads, workers)
        try:
            yield opened
        finally:
            opened.end()
            if ours:
                ray.shutdown()


class RayWorkers:
    """Attempts as tasks of a cluster; `Workers`.

    Args:
        ray: the library.
        task: the remote function that carries out a parcel.
        threads: of a run.
        most: tasks at once; None: as many as are given.
    """

    def __init__(self, ray: Any, task: Any, threads: int, most: int | None) -> None:
        self._ray, self._task, self._most = ray, task, most
        self._environment = of_threads(threads)
        self._waiting = deque[Attempt]()
        self._given: dict[Any, Attempt] = {}

    def give(self, job: Attempt) -> None:
        self._waiting.append(job)

    @property
    def running(self) -> list[Attempt]:
        return [one for one in self._given.values() if one.run.path.is_dir()]

    @property
    def unfinished(self) -> int:
        return len(self._waiting) + len(self._given)

    def ended(self, timeout: float) -> list[tuple[Attempt, Ended | NoAnswer]]:
        while self._waiting and (self._most is None or len(self._given) < self._most):
            one = self._waiting.popleft()
            self._given[self._task.remote(pack(one, self._environment))] = one
        if not self._given:  # all that is left is held by other processes
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(self._given), num_returns=1, timeout=timeout)
        return [(self._given.pop(task), self._answer(task)) for task in ready]

    def _answer(self, task: Any) -> Ended | NoAnswer:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            told = str(error).strip()
            first = told.partition("\n")[0]
            return NoAnswer(f"{type(error).__name__}: {first}", killed=True, details=told)

    def end(self) -> None:
        """Stop what is under way."""
        for task in self._given:
            self._ray.cancel(task, force=True)


def _library() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "--engine ray needs Ray, which is not installed: pip install 'mmvideo[ray]'"
        ) from error
    return ray


def _reach(address: str | None) -> None:
    """See whether anything answers at a cluster's address: Ray itself would ask for minutes.

    Raises:
        InputError: nothing does.
    """
    where = address or os.environ.get("RAY_ADDRESS", "")
    host, _, port = where.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):  # `auto`, `local`
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(_no_cluster(f"at '{where}'", str(error))) from error


def _no_cluster(where: str, reason: str) -> str:
    return (
        f"There is no Ray cluster {where}: {reason}. Start one with `ray start --head`, or leave "
        "--engine.address (RAY_ADDRESS) out."
    )


def _connect(ray: Any, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started here
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"at '{address}'" if address else "here"
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(_no_cluster(where, reason)) from error


def _tell_of_room(ray: Any, cpus: float, gpus: float) -> None:
    """Say where no node of the cluster has what a run asks for: one may join, so it is waited for."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        print(
            f"no node of the Ray cluster has {cpus:g} CPU and {gpus:g} GPU, which a run asks for; waiting "
            "for one (--engine.cpus, --engine.gpus)",
            file=sys.stderr,
        )
