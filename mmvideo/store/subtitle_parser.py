"""Subtitle text → cues. What can be read is read; what cannot is told, with its line."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

ARROW = "-->"
STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?"
TIMES = re.compile(rf"\s*{STAMP}\s*{ARROW}\s*{STAMP}(?:\s.*|[a-z]\S*:.*)?")
"""Hours may be missing, in WebVTT; `,` and `.` are both in use; settings may follow."""
ASIDE = re.compile(r"(WEBVTT|NOTE|STYLE|REGION|Region:|Style:)(\s|$|(?<=:))")
"""How the blocks of a WebVTT file begin that are no cues."""
DIALOGUE = re.compile(r"Dialogue:[^,]*(?:,\s*-?\d+:\d{1,2}:\d{1,2}(?:[.:]\d+)?\s*){2}(?:,[^,]*){7}")
FEW_BAD = 0.1
"""Bytes that are not UTF-8, as a share of the characters beyond ASCII that are, up to which it is UTF-8."""


@dataclass(frozen=True)
class Cue:
    """A piece of text, its markup included, and the seconds between which it is shown."""

    start: float
    end: float
    text: str


@dataclass
class Parsed:
    """The cues of one file, and what is wrong with it: line (0: the file as a whole) and finding."""

    cues: list[Cue] = field(default_factory=list)
    findings: list[tuple[int, str]] = field(default_factory=list)


def parse_timed_blocks(text: str, kind: str) -> Parsed:
    """SubRip or WebVTT: blocks of lines between blank ones, each with a line of times.

    A block whose times cannot be read is left out. In SubRip, a block without times and without a number goes
    on with the cue before it, as players show it. (pysubs2 would give what follows unreadable times to the
    cue before, and tells no lines.)
    """
    parsed = Parsed()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if kind == "vtt" and text.strip() and not re.match(r"WEBVTT(\s|$)", lines[0]):
        parsed.findings.append((1, "the file does not begin with WEBVTT"))
    for first, block in _blocks(lines):
        places = [i for i, line in enumerate(block) if ARROW in line]
        if kind == "vtt" and ASIDE.match(block[0]) and not _has_times(block):
            continue
        if not places:
            _stray(parsed, kind, first, block)
            continue
        for place, following in zip(places, [*places[1:], len(block)], strict=True):
            shown = block[place + 1 : following]
            if following < len(block) and shown and shown[-1].strip().isdecimal():
                shown.pop()  # no blank line stands between: this is the next cue's number
            _add_cue(parsed, first + place, block[place], shown)
    return parsed


def _has_times(block: list[str]) -> bool:
    return any(TIMES.fullmatch(line) for line in block)


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of its first line."""
    block: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip("\0 \t\ufeff"):
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _stray(parsed: Parsed, kind: str, number: int, block: list[str]) -> None:
    """A block without times: the rest of a SubRip cue, or something that has no place in time."""
    if kind == "srt" and parsed.cues and not block[0].strip().isdecimal():
        last = parsed.cues[-1]
        parsed.cues[-1] = Cue(last.start, last.end, "\n".join([last.text, *block]))
    else:
        parsed.findings.append((number, f"text without times: {_quoted(block[-1])}"))


def _add_cue(parsed: Parsed, number: int, times: str, text: list[str]) -> None:
    found = TIMES.fullmatch(times)
    if found is None:
        parsed.findings.append((number, f"unreadable times: {_quoted(times)}"))
        return
    start, end = _seconds(*found.groups()[:4]), _seconds(*found.groups()[4:8])
    if end < start:
        parsed.findings.append((number, f"the cue ends before it starts: {_quoted(times)}"))
        end = start
    parsed.cues.append(Cue(start, end, "\n".join(text)))


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    # from whole milliseconds, so that equal times give equal floats in every format
    thousandths = round(float(f"0.{fraction or 0}") * 1000)
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return (whole * 1000 + thousandths) / 1000


def parse_ass(text: str) -> Parsed:
    """SubStation Alpha, by pysubs2; comments and drawings are no text.

    Raises:
        ValueError: pysubs2 cannot make sense of it.
    """
    import pysubs2

    parsed = Parsed()
    kept = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("Dialogue:") and not DIALOGUE.match(line):
            parsed.findings.append((number, f"unreadable dialogue: {_quoted(line)}"))
        else:
            kept.append(line)
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and layers, which are not read here
            events = pysubs2.SSAFile.from_string("\n".join(kept), format_="ass").events
    except pysubs2.Pysubs2Error as error:
        raise ValueError(str(error)) from error
    for event in events:
        if not event.is_comment and not event.is_drawing:
            end = max(event.end, event.start)
            parsed.cues.append(Cue(event.start / 1000, end / 1000, event.plaintext.strip()))
    if not events and text.strip() and "[Events]" not in text:
        parsed.findings.append((1, f"no section [Events]: {_quoted(text.strip().splitlines()[0])}"))
    return parsed


def decode_text(raw: bytes) -> tuple[str, str | None]:
    """A file's text and, where its encoding had to be guessed or repaired, how.

    UTF-8 or what the byte order mark says; UTF-8 with a few bad bytes replaced; else the encoding that the
    bytes most look like.

    Raises:
        ValueError: no known encoding fits.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = raw.decode("utf-16", errors="replace")
        bad = text.count("\ufffd")
        return text, f"{bad} characters are not UTF-16 and were replaced" if bad else None
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        repaired = raw.decode("utf-8-sig", errors="replace")
    bad = repaired.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in repaired) - bad
    if bad <= FEW_BAD * beyond_ascii:
        return repaired, f"{bad} characters are not UTF-8 and were replaced"
    from charset_normalizer import from_bytes

    best = from_bytes(raw).best()
    if best is None:
        raise ValueError("no known text encoding fits. Save the file as UTF-8")
    return str(best), f"not UTF-8: read as {best.encoding}"


def _quoted(line: str) -> str:
    line = line.strip()
    return f"'{line[:60]}…'" if len(line) > 60 else f"'{line}'"
