"""SHA-256 of files' contents, remembered for as long as the file system says that nothing changed."""

from __future__ import annotations

import hashlib
import os
import time
from errno import EINVAL
from pathlib import Path
from stat import S_ISREG

from mmvideo.files import read_json, update_json

Entry = list[int | str]  # size in bytes, times of modification and of change in ns, inode, digest

SETTLED = 0.1
"""Seconds a file must have been left alone before its hash is remembered: within one tick of the system's
clock (10 ms at most) a second change would leave the times as they are."""


class ContentHashes:
    """Hashes of files, kept in one JSON file so that thousands of unchanged files cost a `stat` each.

    Size and time of modification alone can be kept by a copy that preserves times; the inode and the time of
    change, which no program can set, tell that too. Two processes may share the cache: `save` merges. An
    entry that gets lost is only computed again.
    """

    def __init__(self, cache_path: str | Path | None = None) -> None:
        """Of no file, what this process remembers."""
        self.cache_path = None if cache_path is None else Path(cache_path)
        entries = {} if self.cache_path is None else read_json(self.cache_path)
        self._known: dict[str, Entry] = {
            name: entry for name, entry in entries.items() if isinstance(entry, list)
        }
        self._new: dict[str, Entry] = {}

    def sha256(self, path: str | Path) -> str:
        """The file's SHA-256 as 64 hex digits.

        Raises:
            OSError: the file is absent, cannot be read, or is a folder, a pipe, a socket or a device.
        """
        name = os.path.abspath(path)
        state = _state(name)
        entry = self._known.get(name)
        if entry and entry[:-1] == state:
            return str(entry[-1])
        with open(name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _state(name) == state and time.time() - os.stat(name).st_ctime > SETTLED:
            self._known[name] = self._new[name] = [*state, digest]
        return digest

    def save(self) -> None:
        """Write what was computed since the last save; nothing to do is free."""
        if self._new and self.cache_path is not None:
            new, self._new = self._new, {}
            update_json(self.cache_path, lambda known: known | new)


def _state(name: str) -> list[int]:
    status = os.stat(name)
    if not S_ISREG(status.st_mode):  # to open a pipe waits for who writes into it, and a device may never end
        raise OSError(EINVAL, "a folder, a pipe, a socket or a device, not a file", name)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
