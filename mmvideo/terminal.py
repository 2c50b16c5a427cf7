"""What stands on a terminal: names as they are, but for characters that would steer it or that it lacks."""

from __future__ import annotations

import sys


def visible(text: str) -> str:
    """The text with control, direction and invisible characters written out, as `\\x1b`; lines, tabs stay."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text
    )


def escape(text: str) -> str:
    """The same as rich's markup, in which brackets stand for themselves."""
    from rich.markup import escape as escape_markup

    return escape_markup(visible(text))


def show_any_text() -> None:
    """From here on, what the terminal's encoding lacks is written out instead of ending the process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what stands in their place in tests and notebooks takes all
            stream.reconfigure(errors="backslashreplace")


def note(text: str) -> None:
    """Print what a user should know, beside the results."""
    print(f"Note: {visible(text)}", file=sys.stderr)
