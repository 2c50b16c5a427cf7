"""What the functions of the package are given from Python: checked first, and told in their own words."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from mmvideo.errors import InputError
from mmvideo.report.runs import StudyRuns

P = ParamSpec("P")
T = TypeVar("T")
SHOWN = 60
"""Characters of a value that are shown."""


def of_study(function: Callable[P, T]) -> Callable[P, T]:
    """The function, with an `InputError` for what is no study as its first argument, `study`."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        for given in [*args[:1], *(value for name, value in kwargs.items() if name == "study")]:
            if not isinstance(given, StudyRuns):
                raise InputError(_no_study(function.__name__, given))
        return function(*args, **kwargs)

    return checked


def _no_study(name: str, given: object) -> str:
    call = f"mmvideo.{name}"
    if isinstance(given, str | os.PathLike):
        todo = f"Load it first: {call}(mmvideo.load_study({str(given)!r}))."
    elif isinstance(getattr(given, "study", None), StudyRuns):
        todo = f"Give its study: {call}(comparison.study)."
    elif isinstance(given, list | tuple | set | dict):
        todo = f"One study at a time: [{call}(study) for study in studies]."
    else:
        todo = f'Load one: {call}(mmvideo.load_study("runs/mixed")).'
    return (
        f"{call} takes a study as mmvideo.load_study or mmvideo.load_run gives it; got {shown(given)}. {todo}"
    )


def folder_of(given: object, name: str, what: str) -> Path:
    """The path of a folder.

    Args:
        name: the function that is given it.
        what: is to be in it.

    Raises:
        InputError: it is no path.
    """
    if isinstance(given, str | os.PathLike) and isinstance(os.fspath(given), str) and os.fspath(given):
        return Path(given)
    todo = (
        f"One at a time: [mmvideo.{name}(folder) for folder in folders]."
        if isinstance(given, list | tuple | set | dict)
        else 'Give its path, such as "runs/mixed".'
    )
    raise InputError(
        f"mmvideo.{name} takes the folder {what}, as a text or a pathlib.Path; got {shown(given)}. {todo}"
    )


def shown(given: object) -> str:
    """A value in a message: `None`, `a list of 2`, `an int: 5`."""
    if given is None:
        return "None"
    kind = type(given).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    if isinstance(given, list | tuple | set | dict):
        return f"{article} {kind} of {len(given)}"
    text = repr(given) if isinstance(given, str | bytes | int | float | os.PathLike) else ""
    text = f"{text[:SHOWN]}{'…' * (len(text) > SHOWN)}"
    return f"{article} {kind}" + (f": {text}" if text else "")
