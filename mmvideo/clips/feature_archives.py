"""Files that hold many arrays by name (.npz, HDF5), opened so that none makes more of itself than it is.

An array's size is compared with the file's before anything is allocated, and nothing outside the file is
opened: HDF5 can point to other files in four ways.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from mmvideo.errors import InputError

SMALL = 2**26
"""Bytes that any file may unpack to."""
RATIO = 100
"""Beyond that, what is read may take this many times the bytes of its file: padding compresses well."""
MOST_LINKS = 16
"""Soft links that lead to one another."""


def refuse_larger(size: int, limit: int, what: str) -> None:
    """Raises InputError if `size` bytes are more than the limit."""
    if size > limit:
        raise InputError(f"{what} would take {size / 2**20:,.0f} MiB; at most {limit / 2**20:,.0f} are read.")


def limit_of(path: str) -> int:
    """Bytes that an array of this file may take."""
    return max(SMALL, RATIO * os.stat(path).st_size)


class Npz(Mapping[str, NDArray[Any]]):
    """The arrays of an .npz file, each read when it is asked for first."""

    def __init__(self, path: str) -> None:
        self.path, self.limit = path, limit_of(path)
        with ZipFile(path) as archive:
            self.members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        self.read: dict[str, NDArray[Any]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.read:
            member = self.members[name]
            with ZipFile(self.path) as archive:
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = header(file)
                    size = math.prod(shape) * dtype.itemsize
                    if size != member.file_size - file.tell():
                        raise InputError(
                            f"'{name}' has not as many bytes as its shape {shape} of {dtype} needs."
                        )
                made = sum(array.nbytes for array in self.read.values())
                refuse_larger(made + size, self.limit, f"'{name}', in a file much smaller,")
                with archive.open(member) as file:
                    self.read[name] = np.lib.format.read_array(file, allow_pickle=False)
        return self.read[name]


class Hdf5(Mapping[str, Any]):
    """A group of an HDF5 file, or all of it; an array in it is read by its part."""

    def __init__(self, path: str) -> None:
        import h5py

        self.limit = limit_of(path)
        self.group: Any = h5py.File(path, "r")

    def __iter__(self) -> Iterator[str]:
        return iter(self.group)

    def __len__(self) -> int:
        return len(self.group)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._find(self.group, name, 0) is not None
        except KeyError:
            return False

    def __getitem__(self, name: str) -> Any:
        import h5py

        found = self._find(self.group, name, 0)
        if isinstance(found, h5py.Group):
            group = object.__new__(Hdf5)
            group.limit, group.group = self.limit, found
            return group
        if not isinstance(found, h5py.Dataset):
            raise InputError(f"'{name}' is neither a group nor an array.")
        if found.is_virtual or found.external:
            raise InputError(
                f"'{name}' keeps its values in other files, which are not opened. Copy them into this."
            )
        if found.dtype.kind == "O":
            raise InputError("what is there are not numbers (they are objects or texts).")
        return Hdf5Array(found, self.limit)

    def _find(self, group: Any, name: str, links: int) -> Any:
        """What a path leads to, step by step, no link out of the file followed. Raises KeyError."""
        import h5py

        found = group.file if name.startswith("/") else group
        for step in filter(None, name.split("/")):
            if not isinstance(found, h5py.Group):
                raise KeyError(name)
            link = found.get(step, getlink=True)
            if isinstance(link, h5py.SoftLink):
                if links == MOST_LINKS:
                    raise InputError(f"'{step}' is a link to a link to a link.")
                found = self._find(found, link.path, links + 1)
            elif isinstance(link, h5py.HardLink):
                found = found[step]
            elif link is None:
                raise KeyError(name)
            else:
                raise InputError(
                    f"'{step}' is a link to another file, which is not opened. Copy what it leads to."
                )
        return found


class Hdf5Array:
    """An array that is still in its file."""

    def __init__(self, dataset: Any, limit: int) -> None:
        self.dataset, self.limit = dataset, limit
        self.shape, self.dtype = dataset.shape, dataset.dtype

    def __getitem__(self, row: int) -> NDArray[Any]:
        self._refuse(self.shape[1:])
        return self.dataset[row]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        self._refuse(self.shape)
        return np.asarray(self.dataset[()], dtype)

    def _refuse(self, shape: tuple[int, ...]) -> None:
        read = max(math.prod(shape), math.prod(self.dataset.chunks or ()))  # chunks are unpacked whole
        refuse_larger(read * self.dtype.itemsize, self.limit, "an array, in a file much smaller,")
