"""`mmvideo prepare`: a data set's manifest, by the recipe of its name."""

from __future__ import annotations

import ast
import runpy
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

import mmvideo
from mmvideo.cli.options import first_positional, parse
from mmvideo.errors import InputError, unknown
from mmvideo.planted import PlantedSpec, generate

PACKAGE = Path(mmvideo.__file__).resolve().parent
RECIPE_FOLDERS = (Path("datasets"), PACKAGE.parent / "datasets", PACKAGE / "datasets")
"""Where recipes are looked for: in the working directory, beside the package, inside an installed one."""


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
        print(_help(recipes))
        if not {"-h", "--help"} & set(arguments):
            names = ", ".join(["planted", *sorted(recipes)])
            raise InputError(f"prepare needs the name of a data set: {names}.")
        return 0
    if name == "planted":
        return _prepare_planted(arguments[1:])
    own = Path(name) / "prepare.py"
    if name not in recipes and not own.is_file():
        raise unknown("data set", name, ["planted", *recipes])
    _run_script(recipes.get(name, own), arguments[1:])
    return 0


def find_recipes() -> dict[str, Path]:
    """Every data set with a prepare.py: name → script."""
    scripts = [script for folder in reversed(RECIPE_FOLDERS) for script in folder.glob("*/prepare.py")]
    return {script.parent.name: script for script in scripts}


def _help(recipes: dict[str, Path]) -> str:
    """The names, each with the first line of its script; nothing is imported for it."""
    about = {name: ast.get_docstring(ast.parse(path.read_bytes())) or "" for name, path in recipes.items()}
    about["planted"] = "generated clips whose best reachable accuracy is known; nothing to download"
    lines = [f"  {name:<18}{text.partition(chr(10))[0]}" for name, text in sorted(about.items())]
    return "\n".join(
        [
            "usage: mmvideo prepare NAME [OPTIONS]",
            "",
            "A manifest from your own download. NAME is one of these, or a folder that holds a prepare.py:",
            "",
            *lines,
            "",
            "`mmvideo prepare NAME --help` explains a recipe's options.",
        ]
    )


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
