"""The code of registered components, by digests: a record says with which code its numbers were made."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmvideo.components import ENCODERS, FUSIONS, MODALITY_KINDS, OBJECTIVES
from mmvideo.config_diff import flatten

PACKAGE = Path(__file__).parent


def component_sources(deciding: Mapping[str, Any]) -> dict[str, str]:
    """By configuration key, digests of the code of the registered components that a run is made of. They are
    no part of its signature, so that a version that computes the same goes on with earlier runs."""
    tables = {"fusion.name": FUSIONS, "objective.name": OBJECTIVES}
    for modality in deciding.get("inputs", {}):
        tables |= {f"inputs.{modality}.kind": MODALITY_KINDS, f"inputs.{modality}.encoder.name": ENCODERS}
    named = flatten(deciding)
    return {key: code_digest(table[named[key]]) for key, table in tables.items() if named.get(key) in table}


def code_digest(target: str) -> str:
    """A digest of the code of the module in "mmvideo.module:Class"; comments and docstrings do not count."""
    _, *path = target.partition(":")[0].split(".")
    file = PACKAGE.joinpath(*path).with_suffix(".py")
    return _digest(file, file.stat().st_mtime_ns)


@lru_cache
def _digest(file: Path, modified: int) -> str:
    tree = ast.parse(file.read_bytes(), str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [part for part in node.body if not _is_docstring(part)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
