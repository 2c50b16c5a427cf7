"""Subtitles as timed words."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from mmvideo.words import InputError

FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass"}

INLINE_TIME = re.compile(r"<\s*\d[\d:.]*\s*>")
TIMING = re.compile(r"^\s*\d+:[\d:.,]+\s*-->.*$", re.MULTILINE)
BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True)
class Word:
    """A word and when it is said, in seconds from the clip's start."""

    text: str
    start: float
    end: float


def read_words(path: str | Path, start: float = 0.0, end: float | None = None) -> list[Word]:
    """The words of a .srt, .vtt, .ass or .ssa file that fall into a span, in order of time.

    Subtitles time a whole cue; its words share the cue's duration in proportion to their characters. A word
    belongs to the span its midpoint is in, so that neighbouring spans share no word. Times are relative to
    `start`. Markup is removed. A file without cues has no words.

    Raises:
        InputError: no such file, an unknown format or encoding, text without any cue, or a cue whose
            times cannot be read.
    """
    path = Path(path)
    stop = float("inf") if end is None else end
    words = []
    for cue_start, cue_end, text in sorted(_cues(path), key=lambda cue: cue[0]):
        for word in _spread(text, cue_start, cue_end):
            if start <= (word.start + word.end) / 2 < stop:
                words.append(Word(word.text, max(word.start, start) - start, min(word.end, stop) - start))
    return words


def _cues(path: Path) -> Iterator[tuple[float, float, str]]:
    """Start and end in seconds, and plain text, of each cue."""
    import pysubs2

    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: subtitles must be one of {', '.join(FORMATS)}, not '{path.suffix}'.")
    text = _decoded(path)
    try:
        events = pysubs2.SSAFile.from_string(text, format_=kind).events
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise InputError(f"{path} is not a valid {path.suffix} file: {error}") from error
    if not events and text.strip() and not _declares_no_cues(kind, text):
        raise InputError(f"{path} is not a valid {path.suffix} file: it holds text but no timed cue.")
    timings = TIMING.findall(text) if kind in ("srt", "vtt") else []
    if len(timings) > len(events):
        raise InputError(f"{path}: of {len(timings)} cues only {len(events)} have readable times.")
    for event in events:
        if event.is_comment or event.is_drawing:
            continue
        plain = event.plaintext.replace("\r", "")
        if kind == "vtt":  # a cue ends at a blank line; what follows is a comment or the next cue's name
            plain = BLANK_LINE.split(plain.lstrip("\n"), maxsplit=1)[0]
        plain = html.unescape(INLINE_TIME.sub(" ", plain))
        begin = event.start / 1000
        yield begin, max(event.end / 1000, begin), plain


def _declares_no_cues(kind: str, text: str) -> bool:
    """Whether a file without cues is complete as it is: a WebVTT or ASS header alone."""
    if kind == "vtt":
        return text.startswith("WEBVTT") and "-->" not in text
    return kind == "ass" and "[Events]" in text


def _decoded(path: Path) -> str:
    """The file's text: UTF-8 or what its byte order mark says, else the encoding its bytes most look like."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the subtitles cannot be read: {error.strerror}.") from error
    encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(raw).best()
        if best is None:
            raise InputError(f"{path}: no known text encoding fits. Save the file as UTF-8.") from None
        return str(best)


def _spread(text: str, start: float, end: float) -> list[Word]:
    """The cue's words, its duration shared out in proportion to their characters."""
    words = text.split()
    ends = list(accumulate(len(word) for word in words))
    total = ends[-1] if ends else 1
    edges = [start + (end - start) * count / total for count in [0, *ends]]
    return [Word(word, edges[i], edges[i + 1]) for i, word in enumerate(words)]
