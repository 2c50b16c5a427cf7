"""The store's files: arrays and a record in one safetensors file, with a checksum, written whole.

Reading one runs nothing. A key's file lies at objects/<first two digits>/<key>.safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mmvideo.errors import InputError
from mmvideo.files import write_whole

Arrays = dict[str, NDArray[Any]]
SUFFIX = ".safetensors"
RECORD, CHECKSUM = "clip", "sha256"


def object_path(root: Path, key: str) -> Path:
    return Path(f"{root}/objects/{key[:2]}/{key}{SUFFIX}")  # in one step: it is made for every sample read


def write_object(path: Path, arrays: Arrays, record: Mapping[str, Any]) -> None:
    """Write both to `path`, with the checksum that `check_object` compares."""
    text = json.dumps(record)
    write_whole(path, save(arrays, {RECORD: text, CHECKSUM: _checksum(text, arrays)}))


def read_object(path: Path, file: Any, *, leave_out: Collection[str]) -> tuple[dict[str, Any], Arrays]:
    """The record and the arrays of an `opened` file, but for those named in `leave_out`.

    Raises:
        InputError: it is no file of a store.
    """
    metadata, arrays = _read(path, file, leave_out)
    record: dict[str, Any] = json.loads(metadata[RECORD])
    return record, arrays


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, of which parts of single arrays can be read: `.keys()`, `.get_slice(name)[from:to]`.

    Raises:
        InputError: it is absent, or what is asked of it cannot be read.
    """
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def read_record(path: Path) -> dict[str, Any]:
    """The record alone, without loading the arrays.

    Raises:
        InputError: the file is absent or cannot be read.
    """
    with opened(path) as file:
        record: dict[str, Any] = json.loads(file.metadata()[RECORD])
    return record


def check_object(path: Path) -> Literal["sound", "damaged", "unchecked"]:
    """Read everything and compare it with its checksum. `unchecked`: readable, of a version without one."""
    try:
        with opened(path) as file:
            metadata, arrays = _read(path, file, ())
    except InputError:
        return "damaged"
    if CHECKSUM not in metadata:
        return "unchecked"
    return "sound" if _checksum(metadata[RECORD], arrays) == metadata[CHECKSUM] else "damaged"


def _read(path: Path, file: Any, leave_out: Collection[str]) -> tuple[dict[str, str], Arrays]:
    metadata: dict[str, str] = file.metadata() or {}
    arrays = {name: file.get_tensor(name) for name in file.keys() if name not in leave_out}  # noqa: SIM118
    if RECORD not in metadata:
        raise _unreadable(path, "it is no file of a store")
    return metadata, arrays


def _unreadable(path: Path, why: object) -> InputError:
    return InputError(
        f"{path} cannot be read ({why}). Delete it (`mmvideo store verify --delete` finds all such) and "
        "build the store again."
    )


def _checksum(text: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
