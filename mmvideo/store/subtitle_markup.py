"""What stands in a subtitle beside its words: tags, times inside the text, overrides of SubStation Alpha.

Every pattern is tried at most once from any character, so that the time is linear in the text's length.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

INLINE_TIME = re.compile(r"<\s*(?:(\d{1,4}):)?(\d{2}):(\d{2})\.(\d{3})\s*>")
"""When the words that follow are said, in WebVTT."""
BRACKETED = re.compile(r"<([^<>]*)>|\{\\[^{}]*\}")
TIME_LIKE = re.compile(r"\d[\d:.]*")
ENDLESS_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
"""References to no character, which `html.unescape` turns into an integer of any length."""
OVERRIDE = re.compile(r"\{([^}]*)\}")
DRAWING = re.compile(r"\\p(\d)")


def plain(text: str) -> str:
    """The text without tags and overrides, entities as the characters they stand for."""
    reading = "<rt" in text  # what stands above a word is a word of its own
    bare = BRACKETED.sub(lambda found: _instead(found, reading), text)
    return html.unescape(ENDLESS_NUMBER.sub("\ufffd", bare))


def _instead(found: re.Match[str], reading: bool) -> str:
    inside = found[1]
    if inside is None:
        return ""
    name = inside.strip().removeprefix("/").lstrip()
    if TIME_LIKE.fullmatch(name):
        return " "
    if inside == "/" or (name[:1].isascii() and name[:1].isalpha()):
        return " " if reading else ""
    return found[0]


def timed_pieces(text: str, start: float, end: float) -> Iterator[tuple[str, float, float]]:
    """The text between the times given inside it, each piece with its own start and end.

    Times out of order, or outside of the cue, are no times.
    """
    begin = 0
    for found in INLINE_TIME.finditer(text):
        hours, minutes, seconds, thousandths = (int(part or 0) for part in found.groups())
        time = hours * 3600 + minutes * 60 + seconds + thousandths / 1000
        if start <= time <= end:
            yield text[begin : found.start()], start, time
            start, begin = time, found.end()
    yield text[begin:], start, end


def plain_ass(text: str) -> str:
    """The words of a SubStation Alpha event: without overrides and drawings, its line breaks as such."""
    closed = text.rfind("}") + 1  # beyond it no brace is closed, and looking for one costs the whole rest
    shown, drawing = [], False
    for index, piece in enumerate([*OVERRIDE.split(text[:closed])]):
        if index % 2:
            scales = DRAWING.findall(piece)
            drawing = int(scales[-1]) > 0 if scales else drawing
        elif not drawing:
            shown.append(piece)
    words = "".join(shown) + ("" if drawing else text[closed:])
    return words.replace(r"\h", " ").replace(r"\n", "\n").replace(r"\N", "\n").strip()
