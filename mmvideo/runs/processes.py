"""A run's training carried out in one process, or in one for each of its devices."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from mmvideo.config import RunConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs.assembly import START, make_fabric
from mmvideo.runs.torchrun import launched
from mmvideo.terminal import note


def on_what_is_there(config: RunConfig) -> RunConfig:
    """The configuration with as many devices as torchrun has begun processes, if it has."""
    if (group := launched()) is None:
        return config
    asked, runtime = config.runtime.devices, config.runtime
    if asked not in (1, group.processes):
        note(f"torchrun has begun {group.processes} processes, so runtime.devices {asked} does not count.")
    return config.model_copy(update={"runtime": runtime.model_copy(update={"devices": group.processes})})


def on_devices(config: RunConfig, work: Callable[[Fabric], None]) -> None:
    """Have the work done by every process of the run: this one, as many new ones as it has devices, or those
    that torchrun has begun.

    Args:
        work: to be had in other processes, if there are any; it writes in the first of them only.

    Raises:
        InputError: more devices than a batch has clips.
        TrainingError: a process was killed, as for want of memory.
        whatever the work raised, in the process that failed first; the others are ended.
    """
    devices = config.runtime.devices
    if devices > config.train.batch_size:
        raise InputError(
            f"runtime.devices is {devices}, but a batch has {config.train.batch_size} clips to share among "
            "them; ask for fewer, or raise train.batch_size."
        )
    if (group := launched()) is not None:
        group.tell(partial(_in_this, config, work))
        _in_this(config, work)
        return
    fabric = make_fabric(config, devices)
    if devices == 1:
        work(fabric)
        return
    errors = multiprocessing.get_context(START).SimpleQueue()
    port = os.environ.pop("MASTER_PORT", None)
    try:
        fabric.launch(partial(_told, work=work, errors=errors))
    except ProcessRaisedException as error:
        if errors.empty():
            raise
        raise errors.get() from error
    except ProcessExitedException as error:
        raise TrainingError(
            f"A process of the run was ended from outside ({error}), as for want of memory. What it had "
            "trained is kept; the same command goes on from there, with fewer runtime.devices if need be."
        ) from error
    finally:
        os.environ.pop("MASTER_PORT", None)
        if port is not None:
            os.environ["MASTER_PORT"] = port


def _in_this(config: RunConfig, work: Callable[[Fabric], None]) -> None:
    """The work, in one of torchrun's processes; all end it together."""
    fabric = make_fabric(config, config.runtime.devices)
    fabric.launch()
    work(fabric)
    fabric.barrier()


def _told(fabric: Fabric, work: Callable[[Fabric], None], errors: Any) -> None:
    """The work; what it raises is also told to the process that waits for it."""
    try:
        work(fabric)
    except Exception as error:
        errors.put(error)
        raise
