"""Small files that several processes may write: each appears whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmvideo.errors import InputError

TEMPORARY = "."
"""How the names of files that are still being written begin."""


class DiskFull(InputError):
    """There is no room for a file. Nothing of it was kept."""


class Busy(InputError):
    """Another process holds a lock."""


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary name beside `path`, then rename: readers see the old file or the new one.

    Raises:
        DiskFull: no space is left, or the user's quota is used up.
    """
    try:
        _write(path, content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"{path} ({len(content) / 2**20:.1f} MB) could not be written: {error.strerror}. Free some "
            "space or choose another folder. What was written before is whole and kept; the same command "
            "goes on from there."
        ) from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{TEMPORARY}{path.name}.")
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
    """The record in a JSON file written by `write_json`; empty if there is none yet.

    Raises:
        InputError: the file is no JSON, as after a power cut.
    """
    if not path.exists():
        return {}
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}). Delete it; it is made again.") from error
    return record


def update_json(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace the record in a JSON file by `change` of it. Of several processes, none loses another's."""
    with locked(path):
        before = read_json(path)
        after = change(before)
        if after != before:
            write_json(path, after)


@contextmanager
def locked(path: Path, waiting: str | None = None) -> Iterator[None]:
    """Hold the lock that goes with `path`; the system frees it when the process ends, however it ends.

    Args:
        waiting: said once on standard error where another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f"{TEMPORARY}{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
