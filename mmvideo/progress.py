"""How far long work is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

LINE_EVERY = 10.0
"""Seconds between two lines where the output is not a terminal."""


def tracked(items: Iterable[Item], total: int, title: str, show: bool = True) -> Iterator[Item]:
    """Pass the items on; say on standard error how many of `total` have come and how long the rest takes."""
    if not show or not total:
        yield from items
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, title, total, console=Console(stderr=True))
    else:
        yield from _with_lines(items, total, title)


def _with_lines(items: Iterable[Item], total: int, title: str) -> Iterator[Item]:
    started = printed = time.monotonic()
    for done, item in enumerate(items, start=1):
        now = time.monotonic()
        if done == total or now - printed >= LINE_EVERY:
            printed = now
            rest = (now - started) / done * (total - done)
            print(f"{title}: {done:,} of {total:,}, about {rest:.0f} s left", file=sys.stderr, flush=True)
        yield item
