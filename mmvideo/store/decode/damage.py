"""What FFmpeg's decoders complain of and go on from, with pictures that are damaged and not marked as so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import av.logging

Frame = TypeVar("Frame")


class Damage:
    """Counts the frames beside which a decoder met an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames = 0
        self._first = ""

    def beside(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames as they come."""
        level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)
        try:
            with av.logging.Capture() as met:
                for frame in frames:
                    if met:
                        self._frames += 1
                        self._first = self._first or f"{met[0][1]}: {met[0][2].strip()}"
                        met.clear()
                    yield frame
        finally:
            av.logging.set_level(level)
            av.logging.set_skip_repeated(skips)

    def forget(self) -> None:
        """What came so far is not shown."""
        self._frames, self._first = 0, ""

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self._frames:
            return ()
        told = f"errors beside {self._frames} decoded frames, which may be damaged ({self._first})"
        return (f"{self._path.name}: {told}",)
