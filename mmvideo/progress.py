"""How far long work is and how fast: a bar on a terminal, a line now and then elsewhere."""

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
        from rich.progress import Progress, ProgressColumn, Task

        class Rate(ProgressColumn):
            def render(self, task: Task) -> str:
                return "" if task.speed is None else f"{_rate(task.speed)} a second"

        with Progress(*Progress.get_default_columns(), Rate(), console=Console(stderr=True)) as progress:
            yield from progress.track(items, total, description=title)
    else:
        yield from _with_lines(items, total, title)


def _rate(number: float) -> str:
    """With three digits, and never as a power of ten: 5,513 and 29.6."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _with_lines(items: Iterable[Item], total: int, title: str) -> Iterator[Item]:
    started = printed = time.monotonic()
    for done, item in enumerate(items, start=1):
        now = time.monotonic()
        if done == total or now - printed >= LINE_EVERY:
            printed = now
            each = (now - started) / done
            print(
                f"{title}: {done:,} of {total:,}, {_rate(1 / each if each else 0)} a second, about "
                f"{each * (total - done):.0f} s left",
                file=sys.stderr,
                flush=True,
            )
        yield item
