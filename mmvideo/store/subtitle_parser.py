"""Subtitle text → cues. What can be read is read; what cannot is told, with its line."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mmvideo.store.subtitle_markup import plain_ass

ARROW = "-->"
STAMP = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?"
TIMES = re.compile(rf"\s*{STAMP}\s*{ARROW}\s*{STAMP}(?:\s.*|[a-z]\S*:.*)?")
"""Hours may be missing, in WebVTT; `,` and `.` are both in use; settings may follow."""
ASIDE = re.compile(r"(WEBVTT|NOTE|STYLE|REGION|Region:|Style:)(\s|$|(?<=:))")
"""How the blocks of a WebVTT file begin that are no cues."""
EVENT_TIME = r",\s*(-?)(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.:](\d{1,6}))?\s*"
EVENT = re.compile(rf"Dialogue:[^,]*{EVENT_TIME}{EVENT_TIME}(?:,[^,]*){{6}},(.*)")
KEPT = 100
FEW_BAD = 0.1
"""Bytes that are not UTF-8, as a share of the characters beyond ASCII that are, up to which it is UTF-8."""


@dataclass(frozen=True, slots=True)
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
    more: int = 0
    """Findings beyond the first hundred, which are counted only."""

    def tell(self, line: int, finding: str) -> None:
        if len(self.findings) < KEPT:
            self.findings.append((line, finding))
        else:
            self.more += 1


def parse_timed_blocks(text: str, kind: str) -> Parsed:
    """SubRip or WebVTT: blocks of lines between empty ones, each with a line of times.

    A block whose times cannot be read is left out. In SubRip, a block without times and without a number goes
    on with the cue before it, as players show it. (pysubs2 would give what follows unreadable times to the
    cue before, and tells no lines.)
    """
    parsed = Parsed()
    shown: list[tuple[float, float, list[str]]] = []
    if kind == "vtt" and text.strip() and not re.match(r"WEBVTT(\s|$)", text):
        parsed.tell(1, "the file does not begin with WEBVTT")
    for first, block in _blocks(text, kind):
        places = [i for i, line in enumerate(block) if ARROW in line]
        if kind == "vtt" and ASIDE.match(block[0]) and not any(TIMES.fullmatch(block[i]) for i in places):
            continue
        if not places:
            number = block[0].strip().isdecimal()
            if kind == "srt" and shown and not (number and shown[-1][2]):
                shown[-1][2].extend(block)  # the rest of the cue before
            else:
                parsed.tell(first, f"text without times: {_quoted(block[-1])}")
            continue
        for place, following in zip(places, [*places[1:], len(block)], strict=True):
            lines = block[place + 1 : following]
            if following < len(block) and lines and lines[-1].strip().isdecimal():
                lines.pop()  # no empty line stands between: this is the next cue's number
            times = _times(parsed, first + place, block[place])
            if times:
                shown.append((*times, [line for line in lines if not _blank(line)]))
    parsed.cues += [Cue(start, end, "\n".join(lines)) for start, end, lines in shown]
    return parsed


def _lines(text: str) -> Iterator[str]:
    """Line by line, since a list of all of them may be larger than the file by far."""
    return (line.removesuffix("\n") for line in io.StringIO(text, newline=None))


def _blank(line: str) -> bool:
    return not line.strip("\0 \t\ufeff")


def _blocks(text: str, kind: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not empty, each with the number of its first line; none begins or ends blank.

    A line that holds a blank belongs to its cue: it is where rolling captions begin. In SubRip, where people
    write such lines between cues too, it ends the block if a number follows on text.
    """
    block: list[str] = []
    number = 0
    for number, line in enumerate(_lines(text), start=1):
        counted = kind == "srt" and len(block) > 2 and _blank(block[-1]) and line.strip().isdecimal()
        if block and (not line or (counted and ARROW not in block[-2])):
            yield _trimmed(number, block)
            block = []
        if block or not _blank(line):
            block.append(line)
    if block:
        yield _trimmed(number + 1, block)


def _trimmed(number: int, block: list[str]) -> tuple[int, list[str]]:
    first = number - len(block)
    while _blank(block[-1]):
        block.pop()
    return first, block


def _times(parsed: Parsed, number: int, line: str) -> tuple[float, float] | None:
    found = TIMES.fullmatch(line)
    if found is None:
        parsed.tell(number, f"unreadable times: {_quoted(line)}")
        return None
    start, end = _seconds(*found.groups()[:4]), _seconds(*found.groups()[4:8])
    if end < start:
        parsed.tell(number, f"the cue ends before it starts: {_quoted(line)}")
    return start, max(start, end)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    # from whole milliseconds, so that equal times give equal floats in every format
    thousandths = round(float(f"0.{fraction or 0}") * 1000)
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return (whole * 1000 + thousandths) / 1000


def parse_ass(text: str) -> Parsed:
    """SubStation Alpha: its events; comments and drawings are no text.

    (pysubs2 ends in an IndexError at a style without a colour, and takes minutes for a line of braces.)
    """
    parsed = Parsed()
    for number, line in enumerate(_lines(text), start=1):
        found = EVENT.match(line)
        if found:
            sign, *start = found.groups()[:5]
            other, *end = found.groups()[5:10]
            begin = -_seconds(*start) if sign else _seconds(*start)
            parsed.cues.append(
                Cue(begin, max(begin, -_seconds(*end) if other else _seconds(*end)), plain_ass(found[11]))
            )
        elif line.startswith("Dialogue:"):
            parsed.tell(number, f"unreadable dialogue: {_quoted(line)}")
    if not parsed.cues and text.strip() and "[Events]" not in text:
        parsed.tell(1, f"no section [Events]: {_quoted(next(filter(str.strip, _lines(text)), ''))}")
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
