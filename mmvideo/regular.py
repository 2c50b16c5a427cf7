"""Files that anybody may have put where we look: read only if they are regular files of a size that is meant.

A pipe that nobody writes to would be waited for without end, and a file of gigabytes fill the memory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

RECORD = 256 << 20
"""The most bytes of a file that is one record, such as a result or a comparison."""
ROWS = 4 << 30
"""The most bytes of a file of many records, such as predictions."""
KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


@contextmanager
def opened(path: Path, most: int | None = None) -> Iterator[BufferedReader]:
    """A file, to read.

    Args:
        most: the largest size, in bytes; None: any.

    Raises:
        OSError: it is absent, may not be read, is no regular file, or too large; `strerror` says which.
    """
    _refuse(path, os.stat(path), most)  # before it is opened: to open a device may do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        _refuse(path, os.fstat(descriptor), most)
        yield file


def content(path: Path, most: int | None = None) -> bytes:
    """What a file holds. Arguments and errors are those of `opened`."""
    with opened(path, most) as file:
        return file.read()


def _refuse(path: Path, found: os.stat_result, most: int | None) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {KINDS.get(kind, 'something else')}, not a file", str(path))
    if most is not None and found.st_size > most:
        size = f"it has {found.st_size >> 20:,} MB, and such a file at most {most >> 20:,}"
        raise OSError(errno.EFBIG, size, str(path))
