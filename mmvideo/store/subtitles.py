"""Subtitles as timed words: from a .srt, .vtt, .ass or .ssa file, or from a video file's own track."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

from mmvideo.clips.extensions import OTHER_SUBTITLES, SUBTITLES, WITH_SUBTITLES
from mmvideo.errors import InputError
from mmvideo.store.rolling_captions import without_repeats
from mmvideo.store.subtitle_markup import plain, timed_pieces
from mmvideo.store.subtitle_parser import ARROW, Cue, Parsed, decode_text, parse_ass, parse_timed_blocks

LATEST = 0.5
"""Seconds that a word may come after the end of picture and sound."""
SHOWN = 3
"""How many findings of a file a message names before it counts the rest."""
LARGEST, MOST_CUES, LONGEST, MOST_WORDS = 8 * 2**20, 100_000, 1_000_000, 200_000
"""Bytes and cues of a file, characters of a cue and words of a span: as much as a day's automatic captions
have."""


@dataclass(frozen=True, slots=True)
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
    cues has no words. Cues that cannot be read are left out and told in `warnings`, with their line. Lines
    that automatic captions show again count once, where they were said (see `rolling_captions`).

    Raises:
        InputError: no such file, an unknown format, text without any readable cue, a file too large to be
            subtitles, or a video file without a subtitle track of text. The message names file and line.
    """
    path = Path(path)
    parsed = _parsed(path)
    stop = float("inf") if end is None else end
    if any(len(cue.text) > LONGEST for cue in parsed.cues):
        raise InputError(f"{path} has a cue of more than {LONGEST:,} characters: these are no subtitles.")
    spoken = (word for cue in without_repeats(parsed.cues) for word in _words(cue))
    inside = (word for word in spoken if start <= (word.start + word.end) / 2 < stop)
    words = tuple(
        Word(word.text, max(word.start, start) - start, min(word.end, stop) - start)
        for word in islice(inside, MOST_WORDS + 1)
    )
    if len(words) > MOST_WORDS:
        raise InputError(f"{path} has more than {MOST_WORDS:,} words in one clip: these are no subtitles.")
    return Subtitles(words, tuple(_told(path, parsed)))


def read_words(path: str | Path, start: float = 0.0, end: float | None = None) -> list[Word]:
    """The words of `read_subtitles`, for who does not need its warnings."""
    return list(read_subtitles(path, start, end).words)


def _parsed(path: Path) -> Parsed:
    suffix = path.suffix.lower()
    if suffix in WITH_SUBTITLES:
        return _embedded(path)
    if suffix not in SUBTITLES:
        known = f"'{path.suffix}'" + (", which can be converted to .vtt" if suffix in OTHER_SUBTITLES else "")
        raise InputError(
            f"{path}: subtitles must be one of {', '.join(SUBTITLES)}, or inside a video file "
            f"({', '.join(WITH_SUBTITLES)}), not {known}."
        )
    content = _content(path)
    try:
        text, guess = decode_text(content)
        if text.count(ARROW) + text.count("\nDialogue:") > MOST_CUES:
            raise InputError(f"{path} has more than {MOST_CUES:,} cues: these are no subtitles.")
        parsed = parse_ass(text) if suffix in (".ass", ".ssa") else parse_timed_blocks(text, suffix[1:])
    except ValueError as error:
        raise InputError(f"{path} is not a valid {suffix} file: {error}.") from error
    if parsed.findings and not parsed.cues:
        line, finding = parsed.findings[-1]
        raise InputError(f"{path}:{line}: not a valid {suffix} file, it holds no timed cue; {finding}.")
    if guess:
        parsed.findings.insert(0, (0, guess))
    return parsed


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: the subtitles cannot be read: it is no regular file.")
        size = path.stat().st_size
        if size > LARGEST:
            raise InputError(
                f"{path}: {size:,} bytes are too many for subtitles, which have {LARGEST:,} at most."
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the subtitles cannot be read: {error.strerror}.") from error


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
    rest = len(parsed.findings) + parsed.more - SHOWN
    if rest > 0:
        told.append(f"and {rest} more")
    return [f"{path.name}: " + "; ".join(told)]


def _words(cue: Cue) -> list[Word]:
    """The cue's words, each stretch between two inline times spread on its own."""
    pieces = timed_pieces(cue.text, cue.start, cue.end)
    return [word for text, start, end in pieces for word in _spread(plain(text), start, end)]


def _spread(text: str, start: float, end: float) -> list[Word]:
    """The words of a text, its duration shared out in proportion to their characters."""
    words = text.split()
    ends = list(accumulate(len(word) for word in words))
    total = ends[-1] if ends else 1
    edges = [start + (end - start) * count / total for count in [0, *ends]]
    return [Word(word, edges[i], edges[i + 1]) for i, word in enumerate(words)]
