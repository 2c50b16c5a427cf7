"""Names as clips have them: in one Unicode form, without blanks at the ends. What that changed is noticed.

"run", "run " and a "café" typed on another system look alike and would be several classes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated

import annotated_types as at
from pydantic import AfterValidator

BLANKS = "\ufeff\u200b\u2060"
"""Invisible at a text's end and no blanks to Python: byte order mark, zero-width space, word joiner."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
TIDIED = "names had blanks at their ends or letters in another Unicode form, and were tidied"

_noticed: ContextVar[dict[str, dict[str, None]] | None] = ContextVar("_noticed", default=None)


@contextmanager
def noticing() -> Iterator[dict[str, dict[str, None]]]:
    """Collects what is noticed in the block: what → the names it is true of, each once."""
    found: dict[str, dict[str, None]] = {}
    token = _noticed.set(found)
    try:
        yield found
    finally:
        _noticed.reset(token)


def notice(what: str, name: str) -> None:
    """Tell whoever listens (`noticing`) that something was read otherwise than it stands in a file."""
    found = _noticed.get()
    if found is not None:
        found.setdefault(what, {})[name] = None


def stripped(text: str) -> str:
    """The text without blanks at its ends, invisible ones included."""
    before = None
    while before != text:
        before, text = text, text.strip().strip(BLANKS)
    return text


def tidy(text: str) -> str:
    """The name without blanks at its ends, in Unicode's composed form (NFC); a change is noticed."""
    name = stripped(unicodedata.normalize("NFC", text))
    if name != text:
        notice(TIDIED, repr(text))
    return name


def printable(text: str) -> str:
    """The text, if it has neither control characters nor halves of characters.

    Raises:
        ValueError: it has; a name stands in files' names, in lists of one name a line and on terminals.
    """
    if found := UNPRINTABLE.search(text):
        raise ValueError(f"must have no control characters; this one has {found[0]!r}")
    return text


Name = Annotated[str, AfterValidator(tidy), AfterValidator(printable), at.MinLen(1)]
"""An id, a group, a class."""
Place = Annotated[str, at.MinLen(1), AfterValidator(printable)]
"""A file, as its path is written."""
