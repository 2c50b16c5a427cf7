"""The source of a user's own components, and files that a run names, as digests: others make another run."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from mmvideo.clips.hashing import ContentHashes
from mmvideo.errors import InputError
from mmvideo.files import digest_of
from mmvideo.importing import load

STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
HASHES = ContentHashes()


def source_digest(name: str) -> str:
    """What stands for the content of the module of a user's own component, and of what it imports there.

    Raises:
        InputError: the module cannot be imported, or its source is not found.
    """
    load(name, f"component '{name}'")  # imports it, or says why it cannot be
    module = sys.modules[name.partition(":")[0]]
    found = own_sources(module)
    if module.__name__ not in found:
        raise InputError(
            f"component '{name}': the source of {module.__name__} is not found at {module.__file__}, so its "
            "runs could not be told apart from those of another version. Give it a .py file of that name."
        )
    return digest_of({module: content_digest(file) for module, file in sorted(found.items())})


def own_sources(module: ModuleType) -> dict[str, Path]:
    """A module's file, and those of the modules it imports, directly or not, by the modules' names. What is
    installed, and mmvideo itself, count by their versions; of an installed module, its own package is read.

    Imports are read from the source, wherever they stand in it; what a program imports by a name that it
    makes up, and data files that no option names, are not seen.
    """
    if not getattr(module, "__file__", None):
        return {}
    file = Path(os.path.abspath(str(module.__file__)))  # links are followed by whoever reads it, not by name
    root = file.parents[module.__name__.count(".") + (file.name == "__init__.py")]
    top = module.__name__.partition(".")[0]
    waiting, found, passed = [module.__name__], dict[str, Path](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in passed or name.partition(".")[0] in ("mmvideo", *sys.stdlib_module_names):
            continue
        passed.add(name)
        source = _source_below(root, name)
        if source is None or (_installed(source) and name.partition(".")[0] != top):
            source = _source_elsewhere(name)
        if source is not None:
            found[name] = source
            waiting += _imports(source, name)
    return found


def _source_below(root: Path, name: str) -> Path | None:
    stem = root.joinpath(*name.split("."))
    for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
        if path.is_file():
            return path
    return None


def _source_elsewhere(name: str) -> Path | None:
    """The file of a top-level module of another folder on Python's path, unless it is installed there."""
    try:
        spec = None if "." in name else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.suffix == ".py" and not _installed(path) else None


def _installed(path: Path) -> bool:
    """Whether a module's file comes with Python or with a package."""
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or path.is_relative_to(STANDARD_LIBRARY)


def _imports(source: Path, name: str) -> Iterator[str]:
    """All modules that a file may import, its own packages among them."""
    package = name if source.name == "__init__.py" else name.rpartition(".")[0]
    wanted = [name]
    for node in ast.walk(ast.parse(source.read_bytes(), str(source))):
        if isinstance(node, ast.Import):
            wanted += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            wanted += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    for full in wanted:
        parts = full.split(".")
        yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def content_digest(path: Path) -> str:
    """The digest of a file, or of all files in a folder but hidden ones; links count by what they lead to."""
    if path.is_dir():
        files = sorted(_files_within(path))
        return digest_of({str(file.relative_to(path)): content_digest(file) for file in files})
    return HASHES.sha256(path)  # a grid asks for the same weights once for every run


def _files_within(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Its files and those of folders in it; a folder that links back to one above it is passed over."""
    here = folder.resolve()
    if here in above:
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_within(entry, above | {here})
        elif entry.is_file() and entry.name[0] != ".":
            yield entry
