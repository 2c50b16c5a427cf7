"""An attempt on its way to another machine that shares this one's file system: text, and where it is at home.

Nothing heavy is imported here before the parcel's environment is set, since libraries read it as they start.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmvideo.runs.directory import RunDirectory
    from mmvideo.studies.engines.base import Attempt, Ended

PASSED = ("WANDB_", "HF_", "TORCH_", "MMVIDEO_")
SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""Of this process's variables, those that begin so go with a parcel, but for what is to stay secret."""


@dataclass(frozen=True)
class Parcel:
    """An attempt, and the process that it is to be carried out as if in."""

    label: str
    config: str
    """As JSON."""
    function: str
    """What trains the run, as `module:name`."""
    keywords: Mapping[str, Any]
    kind: str
    """The class of its directory, as `module:name`."""
    run: str
    """Its directory, from `folder`."""
    folder: str
    """The working directory."""
    path: tuple[str, ...]
    """Where modules are found."""
    environment: Mapping[str, str]


def pack(given: Attempt, environment: Mapping[str, str]) -> Parcel:
    """The attempt as text.

    Args:
        environment: variables that it is given beside those of this process that it needs.
    """
    function: Any = given.run_one
    keywords = dict[str, Any]()
    while isinstance(function, partial):
        assert not function.args, "what trains a run is given keywords"
        function, keywords = function.func, {**function.keywords, **keywords}
    own = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PASSED) and not any(word in name for word in SECRET)
    }
    return Parcel(
        given.label,
        given.config,
        _named(function),
        keywords,
        _named(type(given.run)),
        str(given.run.path),
        os.getcwd(),
        tuple(os.path.abspath(path) for path in sys.path),
        {**own, **environment},
    )


def _named(given: Any) -> str:
    assert given.__module__ != "__main__", "another machine does not run the caller's script"
    return f"{given.__module__}:{given.__qualname__}"


def carry_out(parcel: Parcel) -> Ended:
    """On the other machine: carry out the attempt."""
    os.environ.update(parcel.environment)
    from mmvideo.studies.engines.base import Attempt, Ended, attempt

    try:
        os.chdir(parcel.folder)
    except OSError as error:
        host = socket.gethostname()
        reason = f"{host} has no {parcel.folder} ({error.strerror}); all machines must share these folders"
        return Ended("failed", reason=reason)
    sys.path += [path for path in parcel.path if path not in sys.path]
    try:
        run_one = partial(_found(parcel.function), **parcel.keywords)
    except (ImportError, AttributeError) as error:
        return Ended("failed", reason=f"{socket.gethostname()} cannot import what trains the run: {error}")
    return attempt(Attempt(parcel.label, run_one, parcel.config, run_of(parcel)))


def run_of(parcel: Parcel) -> RunDirectory:
    """The run's directory, wherever the process stands."""
    return _found(parcel.kind)(Path(parcel.folder, parcel.run))


def _found(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
