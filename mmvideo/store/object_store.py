"""The store's files: arrays and a record in one safetensors file, with key and checksum, written whole.

Reading one runs nothing. A key's file lies at objects/<first two digits>/<key>.safetensors, and holds the
key. At every opening the two are compared, so that objects that were swapped are found; the checksum of all
its content, which takes longer than reading it, at one opening in 256, and by `mmvideo store verify`. So both
together cost at most 3 % of reading a clip.
"""

from __future__ import annotations

import hashlib
import itertools
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
RECORD, CHECKSUM, KEY = "clip", "sha256", "key"
CHECKED_EVERY = 256
"""One opening in so many compares the checksum."""
_openings = itertools.count(1)


def object_path(root: Path, key: str) -> Path:
    return Path(f"{root}/objects/{key[:2]}/{key}{SUFFIX}")  # in one step: it is made for every sample read


def write_object(path: Path, arrays: Arrays, record: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write both to `path`, with its key, and the checksum that `check_object` compares.

    Args:
        durable: see `mmvideo.files.replacing`; if not, `mmvideo.store.unsynced` has to name it.
    """
    text = json.dumps(record)
    content = save(arrays, {RECORD: text, KEY: path.stem, CHECKSUM: _checksum(text, arrays)})
    write_whole(path, content, durable=durable)


def read_object(path: Path, file: Any, *, leave_out: Collection[str]) -> tuple[dict[str, Any], Arrays]:
    """The record and the arrays of an `opened` file, but for those named in `leave_out`.

    Raises:
        InputError: it is no file of a store.
    """
    metadata, arrays = _read(path, file, leave_out)
    return _record(path, metadata), arrays


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, of which parts of single arrays can be read: `.keys()`, `.get_slice(name)[from:to]`.

    Raises:
        InputError: it is absent, or another key's, or was changed (see above), or what is asked of it cannot
            be read.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get(KEY, path.stem) != path.stem:  # an earlier version's has none
                raise unreadable(path, f"it holds the object {metadata[KEY]}")
            if next(_openings) % CHECKED_EVERY == 0 and not _sound(path, file):
                raise unreadable(path, "its content was changed after it was written")
            yield file
    except (OSError, SafetensorError) as error:
        raise unreadable(path, error) from error


def read_record(path: Path) -> dict[str, Any]:
    """The record alone, without loading the arrays.

    Raises:
        InputError: the file is absent or cannot be read.
    """
    with opened(path) as file:
        return _record(path, file.metadata() or {})


def check_object(path: Path) -> Literal["sound", "damaged", "unchecked"]:
    """Read everything and compare it with its checksum. `unchecked`: readable, of a version without one."""
    try:
        with opened(path) as file:
            if CHECKSUM not in (file.metadata() or {}):
                _read(path, file, ())
                return "unchecked"
            return "sound" if _sound(path, file) else "damaged"
    except InputError:
        return "damaged"


def _sound(path: Path, file: Any) -> bool:
    metadata, arrays = _read(path, file, ())
    return CHECKSUM not in metadata or _checksum(metadata[RECORD], arrays) == metadata[CHECKSUM]


def _record(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        record = json.loads(metadata[RECORD])
    except (KeyError, ValueError, RecursionError) as error:
        raise unreadable(path, "it is no file of a store") from error
    if not isinstance(record, dict):
        raise unreadable(path, "it is no file of a store")
    return record


def _read(path: Path, file: Any, leave_out: Collection[str]) -> tuple[dict[str, str], Arrays]:
    metadata: dict[str, str] = file.metadata() or {}
    arrays = {name: file.get_tensor(name) for name in file.keys() if name not in leave_out}  # noqa: SIM118
    if RECORD not in metadata:
        raise unreadable(path, "it is no file of a store")
    return metadata, arrays


def unreadable(path: Path, why: object) -> InputError:
    """The error for an object that is not what it should be, and what to do."""
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
