"""Small files that several processes may write: each appears whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary name beside `path`, then rename: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path: Path, record: dict[str, Any]) -> None:
    """The record as JSON, written whole."""
    write_whole(path, json.dumps(record).encode())


def read_json(path: Path) -> dict[str, Any]:
    """The record in a JSON file written by `write_json`; empty if there is none yet."""
    if not path.exists():
        return {}
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record
