"""Names of a user's own code, such as "package.module:Class", and what they stand for."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmvideo.errors import InputError


def as_module(name: str) -> str:
    """ "folder/file.py:Class" as the module that the file is, "folder.file:Class"; other names as they are.

    Raises:
        InputError: the file is not below the working directory, where workers would look for the module.
    """
    location, _, attribute = name.partition(":")
    path = Path(location)
    if path.suffix != ".py" or not attribute:
        return name
    here = Path.cwd().resolve()
    if not path.resolve().is_relative_to(here):
        raise InputError(
            f"'{name}' is not below the working directory, {here}. Start from the file's folder and give "
            f"{path.stem}:{attribute}, or install it and give package.module:{attribute}."
        )
    return f"{'.'.join(path.resolve().relative_to(here).with_suffix('').parts)}:{attribute}"


def load(target: str, what: str) -> Any:
    """What "package.module:Name" stands for; modules beside the working directory are found too.

    Raises:
        InputError: there is no such module, or no such name in it.
    """
    module_name, _, name = target.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), name)):
        raise InputError(f"{what} is neither a registered name nor of the form package.module:Class.")
    try:
        with working_directory_importable():
            module = importlib.import_module(module_name)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if not missing or not f"{module_name}.".startswith(f"{missing}."):
            raise InputError(f"{what}: {raised_in_import(module_name, error)}") from error
        raise InputError(
            f"{what}: there is no module '{module_name}', neither on the Python path nor beside the working "
            "directory."
        ) from error
    if not hasattr(module, name):
        raise InputError(f"{what}: module '{module_name}' has no '{name}'.")
    return getattr(module, name)


def raised_in_import(module: str, error: BaseException) -> str:
    """What a user's module raised when it was imported, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = (
        f"{error.filename}:{error.lineno}"
        if isinstance(error, SyntaxError)
        else f"{last.filename}:{last.lineno}"
    )
    return f"module '{module}' cannot be imported: {type(error).__name__}: {error} ({where})"


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """The working directory at the end of the path, for a user's own modules; never before what is
    installed."""
    here = os.getcwd()
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
