"""`mmvideo prepare`: a data set's manifest, by the recipe of its name."""

from __future__ import annotations

import runpy
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

import mmvideo
from mmvideo.cli.options import first_positional, parse
from mmvideo.data.planted import PlantedSpec, generate
from mmvideo.words import InputError, unknown

RECIPE_FOLDERS = (Path("datasets"), Path(mmvideo.__file__).resolve().parents[1] / "datasets")
"""Where recipes are looked for: the working directory's first, then those beside the package."""


@dataclass
class PreparePlanted:
    """Generate a planted data set: real video files whose best possible accuracy is known."""

    spec: Annotated[PlantedSpec, tyro.conf.arg(name="")] = field(default_factory=PlantedSpec)
    out: Path | None = None
    """Folder to write to; None: data/planted/<task>."""
    workers: int | None = None
    """Processes that encode; None: one for each core."""


def prepare(arguments: list[str]) -> int:
    """`mmvideo prepare NAME [OPTIONS]`"""
    recipes = find_recipes()
    name = first_positional(arguments)
    if name is None:
        names = ", ".join(["planted", *sorted(recipes)])
        text = f"usage: mmvideo prepare NAME [OPTIONS]\n\nNAME is one of: {names}.\n"
        print(text + "`mmvideo prepare NAME --help` explains a recipe's options.")
        if not {"-h", "--help"} & set(arguments):
            raise InputError(f"prepare needs the name of a data set: {names}.")
        return 0
    if name == "planted":
        return _prepare_planted(arguments[1:])
    if name not in recipes:
        raise unknown("data set", name, ["planted", *recipes])
    _run_script(recipes[name], arguments[1:])
    return 0


def find_recipes() -> dict[str, Path]:
    """Every data set with a prepare.py: name → script."""
    scripts = [script for folder in reversed(RECIPE_FOLDERS) for script in folder.glob("*/prepare.py")]
    return {script.parent.name: script for script in scripts}


def _prepare_planted(arguments: list[str]) -> int:
    options = parse(PreparePlanted, "prepare planted", arguments)
    out = options.out or Path("data/planted") / options.spec.task
    began = time.monotonic()
    manifest = generate(options.spec, out, workers=options.workers)
    print(f"planted '{options.spec.task}': {manifest}  ({time.monotonic() - began:.0f} s)")
    return 0


def _run_script(script: Path, arguments: list[str]) -> None:
    """Run a recipe in this process as `python prepare.py …` would."""
    before = sys.argv, sys.path[:]
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent.resolve()))
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
