"""Processes that torchrun has begun: the first of them does the work, and the others their part of its runs.

All are given the same command. What there is to do, which folder a run has and whether it is finished, is
found out by the first alone; the others wait for what it has them do. What they say to each other here goes
through torchrun's own store, which is there before any of them computes, and after one has failed.
"""

from __future__ import annotations

import itertools
import os
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Generic, NoReturn, TypeVar

from mmvideo.errors import InputError, TrainingError

T = TypeVar("T")
EVERY = 0.1
"""Seconds between looks for what there is to do. To wait in the store itself would not hear of Ctrl-C."""
PATIENCE = 30.0
"""Seconds after which a process ends that torchrun has not ended, though another one failed."""


@dataclass(frozen=True)
class _Done(Generic[T]):
    """The work is over, and this came of it."""

    found: T


def _leave(patience: float = PATIENCE) -> NoReturn:
    """End without a word. torchrun ends all as soon as one has ended, so not before who has more to say."""
    time.sleep(patience)
    raise SystemExit(1)


class _Failed:
    """The first process has told why there is no more to do."""


@dataclass
class Launched:
    """This process's place among those that torchrun has begun."""

    rank: int
    processes: int
    nodes: int
    store: Any
    """torchrun's own, a `torch.distributed.Store`."""
    messages: Iterator[str] = field(default_factory=lambda: map(str, itertools.count()))
    working: bool = False

    def tell(self, message: object) -> None:
        """Give every other process this to do."""
        self.store.set(next(self.messages), pickle.dumps(message))

    def follow(self) -> Any:
        """Do what the first process has the others do, until it is through; what came of all."""
        while True:
            key = next(self.messages)
            while not self.store.check([key]):
                time.sleep(EVERY)
            message = pickle.loads(self.store.get(key))  # noqa: S301 - from the same command, as torch does it
            if isinstance(message, _Done):
                return message.found
            if isinstance(message, _Failed):
                _leave()
            message()

    def lead(self, work: Callable[[], T]) -> T:
        """Do the work, of which `tell` gives the others their part."""
        try:
            found = work()
        except SystemExit as left:
            self.tell(_Failed() if left.code else _Done(0))
            raise
        except BaseException:
            self.tell(_Failed())
            raise
        self.tell(_Done(found))
        return found

    def first_to_tell(self) -> bool:
        """Whether what went wrong is this process's to tell: the first's that asks. Others end by its end."""
        from torch.distributed import DistError

        me = str(self.rank)
        try:
            return bool(self.store.compare_set("told by", "", me).decode() == me)
        except DistError:  # torchrun has ended, and says why
            return False


@cache
def launched() -> Launched | None:
    """None: torchrun has not begun this process, or no other beside it."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if "TORCHELASTIC_RUN_ID" not in os.environ or processes == 1:
        return None
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    store, rank, _ = next(rendezvous("env://", timeout=timedelta(minutes=5)))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", 1))
    return Launched(rank, processes, nodes, PrefixStore(f"mmvideo {attempt}", store))


def in_all(work: Callable[[], T]) -> T:
    """What the first of torchrun's processes comes to by this work, which it alone does; the others take part
    in what it gives them by `on_devices`. Without torchrun, just the work.

    If a process fails, one of them tells why, and every other one ends without a word.

    Raises:
        TrainingError: another process was ended from outside, as for want of memory.
        whatever the work raised, in the process that failed first.
    """
    group = launched()
    if group is None or group.working:
        return work()
    group.working = True
    try:
        return group.lead(work) if group.rank == 0 else group.follow()
    except (Exception, KeyboardInterrupt) as error:
        if not group.first_to_tell():
            _leave(0 if isinstance(error, KeyboardInterrupt) else PATIENCE)
        if "gloo" in str(error) and isinstance(error, RuntimeError):  # its errors have no type of their own
            raise TrainingError(
                "A process of the run was ended from outside, as for want of memory; torchrun says which. "
                "What the run had trained is kept; the same command goes on from there, with fewer processes "
                "if need be."
            ) from error
        raise
    finally:
        group.working = False


def refuse_torchrun(what: str) -> None:
    """
    Raises:
        InputError: torchrun has begun this process, and others.
    """
    if (group := launched()) is not None:
        raise InputError(
            f"torchrun has begun {group.processes} processes, but {what} begins its own. Give the command "
            "without torchrun; runtime.devices of its base has each run on several devices."
        )
