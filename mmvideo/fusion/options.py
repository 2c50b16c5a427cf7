"""Checks of the options that a configuration gives a fusion: a wrong value is the user's mistake."""

from __future__ import annotations

from collections.abc import Iterable

from mmvideo.errors import InputError, unknown


def check_count(fusion: str, option: str, value: object) -> None:
    """Whether an option is a whole number of at least 1.

    Raises:
        InputError: it is not; names the fusion, the option and what was given.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"fusion '{fusion}': {option} must be a whole number of at least 1, got {value!r}")


def check_choice(fusion: str, option: str, value: object, allowed: Iterable[str]) -> None:
    """Whether an option is one of a list of names.

    Raises:
        InputError: it is not; gives the nearest match and the list.
    """
    allowed = tuple(allowed)
    if value not in allowed:
        raise unknown(f"{option} of fusion '{fusion}'", str(value), allowed)


def check_dropout(value: object) -> None:
    """Whether a dropout probability is one that leaves something.

    Raises:
        InputError: it is no number from 0 up to, but not including, 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"dropout must be a number from 0 up to (not including) 1, got {value!r}")
