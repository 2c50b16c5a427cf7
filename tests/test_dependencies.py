"""What is imported is declared, what is declared is imported, and each stands where it is needed."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
TOOLS = {"mkdocs-material", "mypy", "pandas-stubs", "ruff", "uv"}
PLUGINS = {"pytest-timeout", "pytest-xdist"}
BY_NAME = {"beartype", "ipykernel", "setuptools"}
"""Those that tests name in a string: the import hook's checker, the wheel's build backend, the
notebook's kernel."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0].lower() for text in requirements if text and text[0].isalpha()}


RUNTIME = names(PROJECT["project"]["dependencies"])
EXTRAS = names([name for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra])
DEVELOPMENT = names(PROJECT["dependency-groups"]["dev"])


def imported(*folders: str) -> set[str]:
    """The packages that provide what the folders' files import, as the package index spells them."""
    providers = importlib.metadata.packages_distributions()
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    neighbours = {path.stem for path in files if not path.is_relative_to(REPOSITORY / "mmvideo")}
    ours = neighbours | {"mmvideo", "tests"} | set(sys.stdlib_module_names)
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return {providers.get(name, [name])[0].lower().replace("_", "-") for name in found - ours}


def test_the_library_imports_its_dependencies_and_no_others() -> None:
    assert imported("mmvideo") == RUNTIME | EXTRAS


def test_experiments_and_recipes_need_nothing_more() -> None:
    assert imported("experiments", "datasets") <= RUNTIME


def test_what_tests_import_is_declared_and_development_holds_nothing_else() -> None:
    assert imported("tests") - RUNTIME - EXTRAS == DEVELOPMENT - TOOLS - PLUGINS - BY_NAME


def test_nothing_is_declared_twice() -> None:
    assert set() == RUNTIME & DEVELOPMENT == EXTRAS & (RUNTIME | DEVELOPMENT)


def test_every_dependency_is_pinned_and_locked() -> None:
    pinned = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert names(pinned) == RUNTIME | EXTRAS | DEVELOPMENT
    locked = re.findall(r"^\S+==\S+", (REPOSITORY / "requirements.lock").read_text(encoding="utf-8"), re.M)
    assert {line.split(" ;")[0].split(" #")[0] for line in pinned if "==" in line} <= set(locked)
