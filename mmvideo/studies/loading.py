"""Studies and configurations are functions in Python files or modules; this finds and calls them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mmvideo.errors import InputError, unknown
from mmvideo.importing import raised_in_import, working_directory_importable
from mmvideo.studies.study import Study


def load_function(spec: str, default: str) -> Callable[..., Any]:
    """The function that "path/to/file.py:function" or "package.module:function" names.

    `default` is its name where only the file or module is given. A file runs by path, with its folder
    importable after what is installed; a module may also lie beside the working directory.

    Raises:
        InputError: there is no such file or module, or no such function in it.
    """
    location, _, name = spec.partition(":")
    module = load_module(location)
    function = getattr(module, name or default, None)
    if not callable(function):
        raise unknown(f"function of {location}", name or default, own_functions(module))
    return function


def load_module(location: str) -> ModuleType:
    """A Python file by its path, or a module by its dotted name.

    Raises:
        InputError: there is neither, or it raises something when it is imported.
    """
    path = Path(location)
    if path.suffix == ".py" and path.is_file():
        return _by_path(path)
    dotted = all(part.isidentifier() for part in location.split(".")) and path.suffix != ".py"
    if not dotted:
        raise InputError(
            f"There is no Python file '{location}'. Give it as path/to/file.py:function, or as "
            "package.module:function."
        )
    with working_directory_importable():
        try:
            return importlib.import_module(location)
        except (Exception, SystemExit) as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if not missing or not f"{location}.".startswith(f"{missing}."):
                raise InputError(raised_in_import(location, error)) from error
            raise InputError(
                f"There is no module '{location}', on Python's path or in {Path.cwd()}; a file is given as "
                "path/to/file.py:function."
            ) from error


def own_functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions and classes that the module itself defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    }


def load_study(spec: str, call: Callable[[Callable[..., Any]], Any] = lambda function: function()) -> Study:
    """The study that the function named by `spec` returns; `study` if only a file or module is given.

    Args:
        call: how to call the function, for a caller that has arguments for it, such as a command line.

    Raises:
        InputError: no such file, module or function, or it does not return a Study.
    """
    study = call(load_function(spec, "study"))
    if not isinstance(study, Study):
        raise InputError(
            f"'{spec}' must return an mmvideo.studies.study.Study; it returned {type(study).__name__}."
        )
    return study


def _by_path(path: Path) -> ModuleType:
    folder = str(path.parent.resolve())
    if folder not in sys.path:  # for good, since workers import from there too; at the end, so that nothing
        sys.path.append(folder)  # in it hides a library
    module_spec = importlib.util.spec_from_file_location(f"_by_path_{path.stem}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look their own module up
    try:
        module_spec.loader.exec_module(module)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(raised_in_import(str(path), error)) from error
    return module
