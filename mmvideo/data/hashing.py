"""SHA-256 of files' contents, remembered by path, size and modification time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mmvideo.data.files import read_json, write_json

Entry = list[int | str]  # size in bytes, modification time in nanoseconds, digest


class ContentHashes:
    """Hashes of files, kept in one JSON file so that thousands of unchanged files cost a `stat` each.

    Two processes may share the cache: `save` merges with what the other has written, and the file is replaced
    whole. An entry that gets lost is only computed again.
    """

    def __init__(self, cache_path: str | Path) -> None:
        self.cache_path = Path(cache_path)
        self._known: dict[str, Entry] = read_json(self.cache_path)
        self._new: dict[str, Entry] = {}

    def sha256(self, path: str | Path) -> str:
        """The file's SHA-256 as 64 hex digits.

        Raises:
            OSError: the file is absent or cannot be read.
        """
        name = os.path.abspath(path)
        status = os.stat(name)
        entry = self._known.get(name)
        if entry is None or entry[:2] != [status.st_size, status.st_mtime_ns]:
            with open(name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            entry = [status.st_size, status.st_mtime_ns, digest]
            self._known[name] = self._new[name] = entry
        return str(entry[2])

    def save(self) -> None:
        """Write what was computed since the last save; nothing to do is free."""
        if self._new:
            write_json(self.cache_path, {**read_json(self.cache_path), **self._new})
            self._new = {}
