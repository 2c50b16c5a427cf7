"""Subtitles as timed words: from a .srt, .vtt, .ass or .ssa file, or from a video file's own track."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from mmvideo.clips.extensions import SUBTITLES, WITH_SUBTITLES
from mmvideo.errors import InputError
from mmvideo.store.subtitle_parser import Cue, Parsed, decode_text, parse_ass, parse_timed_blocks

LATEST = 0.5
"""Seconds that a word may come after the end of picture and sound."""
SHOWN = 3
"""How many findings of a file a message names before it counts the rest."""

INLINE_TIME = re.compile(r"<\s*(?:(\d+):)?(\d{2}):(\d{2})\.(\d{3})\s*>")
TAG = re.compile(r"<\s*/?\s*[a-zA-Z][^<>]*>|<\s*\d[\d:.]*\s*>|</>|\{\\[^{}]*\}")


@dataclass(frozen=True)
class Word:
    """A word and when it is said, in seconds from the clip's start."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Subtitles:
    """The words of a span, in order of time, and what could not be read or had to be guessed."""

    words: tuple[Word, ...]
    warnings: tuple[str, ...] = ()

    def until(self, media_end: float) -> Subtitles:
        """Without the words that come after picture and sound have ended, which are counted in a warning."""
        kept = tuple(word for word in self.words if word.start < media_end + LATEST)
        lost = len(self.words) - len(kept)
        if not lost:
            return self
        told = f"{lost} of {len(self.words)} words come after picture and sound end ({media_end:.2f} s)"
        return Subtitles(kept, (*self.warnings, told))


def read_subtitles(path: str | Path, start: float = 0.0, end: float | None = None) -> Subtitles:
    """The words that fall into a span of a subtitle file, or of a video file's first text subtitle track.

    Subtitles time a whole cue; its words share the cue's duration in proportion to their characters, between
    the times that a WebVTT cue gives inside its text, if any. A word belongs to the span its midpoint is in,
    so that neighbouring spans share no word. Times are relative to `start`. Markup is removed. A file without
    cues has no words. Cues that cannot be read are left out and told in `warnings`, with their line.

    Raises:
        InputError: no such file, an unknown format, text without any readable cue, or a video file without a
            subtitle track of text. The message names file and line.
    """
    path = Path(path)
    parsed = _parsed(path)
    stop = float("inf") if end is None else end
    words = [
        Word(word.text, max(word.start, start) - start, min(word.end, stop) - start)
        for cue in sorted(parsed.cues, key=lambda cue: cue.start)
        for word in _words(cue)
        if start <= (word.start + word.end) / 2 < stop
    ]
    return Subtitles(tuple(words), tuple(_told(path, parsed)))


def read_words(path: str | Path, start: float = 0.0, end: float | None = None) -> list[Word]:
    """The words of `read_subtitles`, for who does not need its warnings."""
    return list(read_subtitles(path, start, end).words)


def _parsed(path: Path) -> Parsed:
    suffix = path.suffix.lower()
    if suffix in WITH_SUBTITLES:
        return _embedded(path)
    if suffix not in SUBTITLES:
        raise InputError(
            f"{path}: subtitles must be one of {', '.join(SUBTITLES)}, or inside a video file "
            f"({', '.join(WITH_SUBTITLES)}), not '{path.suffix}'."
        )
    try:
        text, guess = decode_text(path.read_bytes())
        parsed = parse_ass(text) if suffix in (".ass", ".ssa") else parse_timed_blocks(text, suffix[1:])
    except OSError as error:
        raise InputError(f"{path}: the subtitles cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not a valid {suffix} file: {error}.") from error
    if parsed.findings and not parsed.cues:
        line, finding = parsed.findings[-1]
        raise InputError(f"{path}:{line}: not a valid {suffix} file, it holds no timed cue; {finding}.")
    if guess:
        parsed.findings.insert(0, (0, guess))
    return parsed


def _embedded(path: Path) -> Parsed:
    from mmvideo.store.decode import DecodeError, decode_subtitles

    try:
        return Parsed([Cue(*cue) for cue in decode_subtitles(path)])
    except DecodeError as error:
        raise InputError(f"{path}: the subtitles cannot be read: {error.reason}.") from error


def _told(path: Path, parsed: Parsed) -> list[str]:
    """The file's findings on one line, so that a count of warnings is a count of files."""
    if not parsed.findings:
        return []
    told = [f"line {line}: {finding}" if line else finding for line, finding in parsed.findings[:SHOWN]]
    rest = len(parsed.findings) - SHOWN
    if rest > 0:
        told.append(f"and {rest} more")
    return [f"{path.name}: " + "; ".join(told)]


def _words(cue: Cue) -> list[Word]:
    """The cue's words, each stretch between two inline times spread on its own."""
    words: list[Word] = []
    edge, rest = cue.start, cue.text
    while found := INLINE_TIME.search(rest):
        hours, minutes, seconds, thousandths = (int(part or 0) for part in found.groups())
        time = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
        if edge <= time <= cue.end:
            words += _spread(_plain(rest[: found.start()]), edge, time)
            edge, rest = time, rest[found.end() :]
        else:  # out of the cue: no time at all
            rest = f"{rest[: found.start()]} {rest[found.end() :]}"
    return words + _spread(_plain(rest), edge, cue.end)


def _plain(text: str) -> str:
    return html.unescape(TAG.sub(" " if "<rt" in text else "", text))


def _spread(text: str, start: float, end: float) -> list[Word]:
    """The words of a text, its duration shared out in proportion to their characters."""
    words = text.split()
    ends = list(accumulate(len(word) for word in words))
    total = ends[-1] if ends else 1
    edges = [start + (end - start) * count / total for count in [0, *ends]]
    return [Word(word, edges[i], edges[i + 1]) for i, word in enumerate(words)]
