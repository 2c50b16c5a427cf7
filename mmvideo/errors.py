"""The errors meant for users; everything else that is raised is a fault of ours and keeps its traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave is wrong. The message says what was given, what is allowed and what to do."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped, what is left of it and what to do."""


def unknown(kind: str, given: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not on a list: the nearest match first, then the whole list."""
    names = sorted(allowed)
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return InputError(f"Unknown {kind} '{given}'.{hint} Known: {', '.join(names)}.")
