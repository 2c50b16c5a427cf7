"""Automatic and live captions roll: a cue shows the lines of the one before again while its own line grows.

    red kites climb over                      red kites climb over
    red kites climb over | the quiet     →    the quiet
    the quiet            | harbour            harbour

What a person says twice in ordinary captions stays twice. Captions roll if at least half of the cues that
follow on another without a pause begin with its last lines and then say something new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from mmvideo.store.subtitle_markup import INLINE_TIME, plain
from mmvideo.store.subtitle_parser import Cue

ROWS = 4
"""How many lines at most are shown again: those that captions on television have."""
PAUSE = 0.1
"""Seconds between two cues from which on they do not follow on each other."""
HELD = 10.0
"""Seconds for which rolling captions may hold a line through a pause."""
FLASH = 0.05
"""Seconds: who shows a cue for less rolls it, since nobody could read it."""
STAIRCASE = 0.8
"""Share of cues that last into the next one from which on captions are a window of lines that moves."""


def without_repeats(cues: Sequence[Cue]) -> list[Cue]:
    """Cues in order of time, in which each line stands once, in the cue that showed it first.

    Cues equal in text and times (layers of SubStation Alpha) are one. A cue that the next one follows in
    rolling captions ends where that begins: then its own words were said.
    """
    ordered = list(dict.fromkeys(sorted(cues, key=lambda cue: cue.start)))
    rows = [[line for line in cue.text.split("\n") if not line.isspace()] for cue in ordered]
    bare = [[" ".join(plain(line).split()) for line in lines] for lines in rows]
    carried = [(0, ""), *(_carried(a, b, r) for a, b, r in zip(bare, bare[1:], rows[1:], strict=False))]
    if not _rolling(ordered, bare, carried):
        return _ended_by_the_next(ordered)
    kept: list[Cue] = []
    for cue, lines, texts, (count, grown) in zip(ordered, rows, bare, carried, strict=True):
        gap = cue.start - ordered[len(kept) - 1].end if kept else 0.0
        if (count or grown) and gap < (HELD if len(lines) > count else PAUSE):
            lines = [texts[count].removeprefix(grown), *lines[count + 1 :]] if grown else lines[count:]
            kept[-1] = replace(kept[-1], end=min(kept[-1].end, cue.start))
        kept.append(replace(cue, text="\n".join(lines)))
    return kept


def _carried(before: Sequence[str], lines: Sequence[str], raw: Sequence[str]) -> tuple[int, str]:
    """How many of the lines the cue before ended with, and what it had of the line after them.

    A line with times inside it is said now.
    """
    timed = next((i for i, line in enumerate(raw) if INLINE_TIME.search(line)), len(raw))
    for first in range(max(0, len(before) - ROWS), len(before)):
        *whole, last = before[first:]
        count = len(whole)
        if count < timed and lines[:count] == whole:
            if lines[count] == last:
                return count + 1, ""
            if lines[count].startswith(last + " "):
                return count, last
    return 0, ""


def _rolling(cues: Sequence[Cue], bare: Sequence[list[str]], carried: Sequence[tuple[int, str]]) -> bool:
    rolls = others = 0
    for (before, cue), lines, (count, grown) in zip(pairwise(cues), bare[1:], carried[1:], strict=True):
        if cue.start - before.end >= PAUSE:
            continue
        if not (count or grown):
            others += 1
            continue
        again = {word for line in [*lines[:count], grown] for word in line.split()}
        rolls += any(word not in again for line in lines[count:] for word in line.split())
    sure = any(cue.end - cue.start < FLASH or INLINE_TIME.search(cue.text) for cue in cues)
    return rolls >= max(others, 1 if sure else 2)


def _ended_by_the_next(cues: list[Cue]) -> list[Cue]:
    """Where nearly every cue lasts into the next one, it is shown on above it: it ends where that begins."""
    lasting = sum(a.start < b.start < a.end for a, b in pairwise(cues))
    if len(cues) < 4 or lasting < STAIRCASE * (len(cues) - 1):
        return cues
    return [*(replace(a, end=min(a.end, b.start)) for a, b in pairwise(cues)), cues[-1]]
