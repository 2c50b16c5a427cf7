"""How much of a clip is filled in where the file has nothing: counted, and bounded by what was decoded."""

from __future__ import annotations

from pathlib import Path

from mmvideo.store.decode.container import DecodeError

WORTH_TELLING = 1.0
"""Seconds that may be filled in without a word."""
FREE = 60.0
PER_DECODED = 5.0
"""Seconds that may be filled in at most: so many, and so many more for each frame, or each second of sound,
that was decoded. A file of some kilobytes does not become gigabytes."""


class Filled:
    """Seconds of a clip that are frozen pictures, or silence, for want of anything else."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what
        self.seconds = 0.0

    def add(self, seconds: float, decoded: float) -> None:
        """
        Raises:
            DecodeError: it is too much for what was `decoded`.
        """
        self.seconds += seconds
        if self.seconds > FREE + PER_DECODED * decoded:
            advice = "cut out what is wanted, or encode it anew at a fixed rate (ffmpeg -i … -r 25 …)"
            raise DecodeError(self.path, f"{self.seconds:,.0f} s would be filled with {self.what}: {advice}")

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.seconds <= WORTH_TELLING:
            return ()
        return (f"{self.path.name}: {self.seconds:.1f} s are filled with {self.what}",)
