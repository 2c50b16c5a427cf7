"""The configuration that a study's arms are made from: found by name, and what a study on it is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mmvideo.config import RunConfig, load_config
from mmvideo.errors import InputError, unknown
from mmvideo.studies.loading import load_function, load_module, own_functions

BASES = "bases.py"
BASES_MODULE = "mmvideo.experiments.bases"
UNNAMED = "base"
"""What a base is called that says nothing by its name."""


@dataclass(frozen=True)
class Base:
    """A complete run to build a study on; `name` tells base and data, of one called `base` the data."""

    config: RunConfig
    name: str


def study_base(spec: str, manifest: str | None = None, *, beside: str) -> Base:
    """The base that a study's `--base` names, on the given clips. No data are read.

    Args:
        spec: a function of the bases.py beside the study; or what `load_base` takes.
        manifest: list of clips; None: the base's own.
        beside: the study's own `__file__`.

    Raises:
        InputError: there is no such configuration.
    """
    if spec.isidentifier() and not Path(spec, "config.json").is_file():
        known = known_bases(Path(beside).parent)
        if spec not in known:
            raise unknown("base configuration", spec, known)
        function = known[spec]
    elif is_record(spec):
        function = lambda: load_base(spec)  # noqa: E731
    else:
        function = load_function(spec, "base")
    own = _returned(function(), spec)
    name = _slug(spec.rpartition(":")[2] if ":" in spec else Path(spec).stem)
    if manifest is None or Path(manifest).resolve() == Path(own.data.manifest).resolve():
        return Base(own, _data_name(own.data.manifest) if name == UNNAMED else name)
    if "manifest" in inspect.signature(function).parameters:
        config = _returned(function(manifest=manifest), spec)
    else:
        config = own.model_copy(update={"data": own.data.model_copy(update={"manifest": manifest})})
    data = _data_name(manifest)
    return Base(config, data if name == UNNAMED else f"{name}-{data}")


def load_base(spec: str) -> RunConfig:
    """The configuration that a function "path/to/file.py:function" or "package.module:function" returns
    (`base` if only the file or module is given), or of the directory or config.json of an earlier run.

    Raises:
        InputError: no such file, module or function, or what it holds or returns is no configuration.
    """
    if not is_record(spec):
        return _returned(load_function(spec, "base")(), spec)
    path = Path(spec) / "config.json" if Path(spec).is_dir() else Path(spec)
    if not path.is_file():
        raise InputError(f"There is no configuration '{path}'. Give the config.json of an earlier run.")
    return load_config(path.read_text(encoding="utf-8"), str(path))


def is_record(spec: str) -> bool:
    return Path(spec).is_dir() or spec.endswith(".json")


def _returned(config: object, spec: str) -> RunConfig:
    if not isinstance(config, RunConfig):
        raise InputError(
            f"'{spec}' must return an mmvideo.config.RunConfig; it returned {type(config).__name__}."
        )
    return config


def known_bases(folder: Path) -> dict[str, Callable[..., Any]]:
    """What a study in this folder can be built on, by name: the functions of its bases.py, and those that it
    has from its neighbours."""
    module = _bases(folder)
    imported = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__annotations__.get("return") == RunConfig.__name__
    }
    return imported | own_functions(module)


def _bases(folder: Path) -> ModuleType:
    """The bases.py of the study's folder, else of experiments/, else those that come with mmvideo."""
    for file in (folder / BASES, Path("experiments") / BASES):
        if file.is_file():
            return load_module(str(file))
    return load_module(BASES_MODULE)


def _data_name(manifest: str) -> str:
    """Folder and file of a list of clips, where the file is not simply the folder's."""
    path = Path(manifest)
    return _slug(path.parent.resolve().name + ("" if path.stem == "manifest" else f"-{path.stem}"))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+]+", "-", text).strip("-.") or "data"
