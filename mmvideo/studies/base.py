"""The configuration that a study's arms are made from: found by name, and what a study on it is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from mmvideo.config import Input, RunConfig, load_config
from mmvideo.errors import InputError, unknown
from mmvideo.schema import explain
from mmvideo.studies.loading import load_function, load_module, own_functions
from mmvideo.vocabulary import in_order

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
        spec: a function of the bases.py beside the study; or what `load_base` takes. `+flow` behind it adds
            an input that reads the manifest's features of that name.
        manifest: list of clips; None: the base's own.
        beside: the study's own `__file__`.

    Raises:
        InputError: there is no such configuration.
    """
    spec, added = _features_named(spec)
    found = _found(spec, manifest, beside)
    name = "+".join((found.name, *added)) if added else found.name
    return Base(_with_features(found.config, added, spec), name)


def _found(spec: str, manifest: str | None, beside: str) -> Base:
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
    (`base` if only the file or module is given), or of the directory or config.json of an earlier run; with
    further inputs for features, as `path/to/file.py:function+flow`.

    Raises:
        InputError: no such file, module or function, or what it holds or returns is no configuration.
    """
    spec, added = _features_named(spec)
    return _with_features(_loaded(spec), added, spec)


def _loaded(spec: str) -> RunConfig:
    if not is_record(spec):
        return _returned(load_function(spec, "base")(), spec)
    path = Path(spec) / "config.json" if Path(spec).is_dir() else Path(spec)
    if not path.is_file():
        raise InputError(f"There is no configuration '{path}'. Give the config.json of an earlier run.")
    return load_config(path.read_text(encoding="utf-8"), str(path))


def _features_named(spec: str) -> tuple[str, list[str]]:
    """The base, and the features that `+` names behind it; a path that is there is taken as it is."""
    folder, slash, last = spec.rpartition("/")
    if Path(spec).exists():
        return spec, []
    first, *added = last.split("+")
    return f"{folder}{slash}{first}", added


def _with_features(config: RunConfig, added: list[str], spec: str) -> RunConfig:
    """The configuration, with an input for each of these of the manifest's features.

    Raises:
        InputError: it has an input of that name, or a modality cannot be called so.
    """
    if not added:
        return config
    if taken := [name for name in added if name in config.inputs]:
        raise InputError(
            f"'{spec}' has an input called {taken[0]}; to have it read features instead: "
            f"--set inputs.{taken[0]}=features"
        )
    inputs = config.inputs | {name: Input.of("features") for name in added}
    given = in_order((*config.modalities, *added))
    try:
        return RunConfig(**{**dict(config), "inputs": inputs, "modalities": given})
    except ValidationError as error:
        raise InputError(f"'{'+'.join((spec, *added))}' is no configuration: {explain(error)}.") from error


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
