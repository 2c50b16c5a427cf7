"""What a build wrote and the disk may not have yet, so that a power cut costs no more than decoding it again.

To wait for the disk at every clip costs more than to write it. So a build first names, in a file of its own
that is on the disk, the keys it is going to write, and waits once at its end, for all. Where a build was cut
short the file is left over: what it names is read in full before it is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmvideo.files import read_json, write_json
from mmvideo.store.object_store import check_object, object_path

NAME = "unsynced.json"
REMEDY = "Run `mmvideo store verify --delete` for this store, then delete the file."


def unsynced(root: Path) -> set[str]:
    """The keys of what may not be on the disk. Raises Damaged if their list is."""
    return set(read_json(root / NAME, REMEDY).get("keys", ()))


def settle(root: Path) -> None:
    """Read what an earlier build left unsynced, and delete what the disk has not got as it was written."""
    for key in sorted(unsynced(root)):
        path = object_path(root, key)
        if path.exists() and check_object(path) == "damaged":
            print(f"{path} was not on the disk when a build was cut short; it is deleted.", file=sys.stderr)
            path.unlink()
    _wait_for_disk(root)


@contextmanager
def writing_objects(root: Path, keys: Collection[str]) -> Iterator[None]:
    """Around the writing of these keys' objects, none of which waits for the disk."""
    write_json(root / NAME, {"keys": sorted(keys)})
    folder = os.open(root, os.O_RDONLY)
    os.fsync(folder)  # or the list could be lost, and what it names be there
    os.close(folder)
    yield
    _wait_for_disk(root)


def _wait_for_disk(root: Path) -> None:
    if (root / NAME).exists():
        os.sync()
        (root / NAME).unlink()
