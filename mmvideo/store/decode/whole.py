"""Whether a file opens and reaches to the end that it states, without decoding what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from mmvideo.store.decode.clock import clock_of
from mmvideo.store.decode.container import DecodeError, opened

STATED = frozenset({"mov", "matroska", "flv", "asf", "flac"})
"""Formats that state at their beginning how long they last; others are estimated from what is there."""
LEAST_THERE = 0.9
"""Share of what a file states that has to be there; some state a little more than they have."""
UNKNOWN = 0x7FFFFFF0
"""What programs state that do not know a file's size when they begin it, or more."""


@dataclass(frozen=True)
class Look:
    """What is seen of a file from outside."""

    fault: str
    """Why it cannot be a whole video or sound file; empty: it opens, and its packets reach to its end."""
    kinds: frozenset[str] = frozenset()
    """Which of `video` and `audio` it has a stream of."""


def look_at(path: Path) -> Look:
    """What is damaged inside packets is not seen. Of AVI and WAV the bytes are compared with those they
    state."""
    try:
        fault = _fault(path)
        return Look(fault, frozenset(kind for kind, there in clock_of(path).has.items() if there))
    except DecodeError as error:
        return Look(error.reason)


def _fault(path: Path) -> str:
    clock = clock_of(path)
    with opened(path) as container:
        formats = set(container.format.name.split(","))
        lasts = (container.duration or 0) / av.time_base
    if not any(clock.has.values()):
        return "neither picture nor sound is found in it"
    if formats & {"avi", "wav"}:
        size = path.stat().st_size
        with path.open("rb") as file:
            stated = int.from_bytes(file.read(8)[4:], "little")
        cut = stated < UNKNOWN and size < LEAST_THERE * stated
        return f"only {size:,} of {stated:,} bytes are there: it was cut short" if cut else ""
    if not clock.shifts:
        return "nothing of its picture or sound is there"
    if formats & STATED and not clock.jumps and clock.end < LEAST_THERE * lasts:
        return f"only {clock.end:.2f} of {lasts:.2f} s are there: it was cut short"
    return ""
