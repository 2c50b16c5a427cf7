"""Files of precomputed features: arrays in .npy, .npz, .h5, .csv and pickles, and how a clip names its part.

A reference is a file and, after the last `#`, the steps that lead to the clip's array, separated by `/`:

    feats/a1.npy                      the whole array
    feats/all.npy#12                  row 12 (the first is 0)
    feats/all.h5#visual/a1            a key, or a path of keys (.npz, .h5, .hdf5, .pkl)
    feats/train.csv#12/0:73           row 12, columns 0 to 72
    aligned_50.pkl#train/vision/12    the layout of MMSA's feature files

A file whose own name has a `#` in it gets another one at its end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.safe_pickle import load_data
from mmvideo.errors import InputError

KEPT_OPEN = 64
"""How many files a process keeps open or in memory."""

ROW = re.compile(r"\d+")
COLUMNS = re.compile(r"(\d*):(\d*)")


def split_reference(reference: str) -> tuple[str, str]:
    """The file's path and the steps within it (empty: the whole file)."""
    path, found, steps = reference.rpartition("#")
    return (path, steps) if found else (reference, "")


def join_reference(path: str, steps: str) -> str:
    """The reference that `split_reference` takes apart."""
    return f"{path}#{steps}" if steps or "#" in path else path


def read_array(path: str | Path, steps: str = "") -> NDArray[np.float32]:
    """The array that a reference names. A file is opened, and a table or pickle read, once a process.

    .npy files are memory-mapped and of .h5 files only the part asked for is read; .csv files and pickles are
    held in memory.

    Raises:
        InputError: no such file, format, key, row or column, or what is there are not numbers.
    """
    path = Path(path)
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"The feature file {path} cannot be read: {error.strerror}.") from error
    content = _opened(str(path), status.st_size, status.st_mtime_ns, os.getpid())
    try:
        return _numbers(_follow(content, steps))
    except InputError as error:
        raise InputError(f"{path}#{steps}: {error}" if steps else f"{path}: {error}") from error


@lru_cache(maxsize=KEPT_OPEN)
def _opened(path: str, size: int, modified: int, process: int) -> Any:
    """The file's content. Size and time notice a change; an open .h5 file must not cross into a fork."""
    kind = Path(path).suffix.lower()
    if kind not in READERS:
        raise InputError(f"{path}: features must be one of {', '.join(READERS)}, not '{kind}'.")
    try:
        return READERS[kind](path)
    except InputError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} is not a valid {kind} file: {error}") from error


def _read_npy(path: str) -> Any:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: str) -> Any:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _read_hdf5(path: str) -> Any:
    import h5py

    return h5py.File(path, "r")


def _read_csv(path: str) -> NDArray[Any]:
    """All rows; a first row that is not all numbers is a header and does not count."""
    import pandas as pd

    first = pd.read_csv(path, header=None, nrows=1)
    named = pd.to_numeric(first.iloc[0], errors="coerce").isna().any()
    values = pd.read_csv(path, header=0 if named else None).to_numpy()
    if named and not len(values):
        raise InputError(f"{path} holds no numbers, only the line '{', '.join(map(str, first.iloc[0]))}'.")
    return values


READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".csv": _read_csv,
    ".pkl": load_data,
    ".pickle": load_data,
}


def _follow(content: Any, steps: str) -> Any:
    """What the steps lead to. A key may hold slashes: the longest that fits is taken."""
    rest = steps.split("/") if steps else []
    while rest:
        if isinstance(content, Mapping):
            taken = next((n for n in range(len(rest), 0, -1) if "/".join(rest[:n]) in content), 0)
            if not taken:
                raise InputError(f"there is no '{rest[0]}'; there is {_listed(content)}.")
            content = content["/".join(rest[:taken])]
            rest = rest[taken:]
        else:
            content = _part(content, rest.pop(0))
    return content


def _part(content: Any, step: str) -> Any:
    """A row, or a range of columns, of an array or list."""
    shape = (len(content),) if isinstance(content, list | tuple) else getattr(content, "shape", ())
    columns = COLUMNS.fullmatch(step)
    if not shape or not (columns or ROW.fullmatch(step)):
        raise InputError(f"'{step}' is neither a key of a table of names, a row (12) nor columns (0:73).")
    if columns:
        first, last = (int(edge) if edge else None for edge in columns.groups())
        chosen = np.asarray(content)[..., first:last]
        if not chosen.shape[-1]:
            raise InputError(f"there are no columns {step}.")
        return chosen
    if int(step) >= shape[0]:
        raise InputError(f"row {step} of {shape[0]}; the first is 0.")
    return content[int(step)]


def _numbers(content: Any) -> NDArray[np.float32]:
    """The array as 32-bit numbers; what does not fit becomes infinite."""
    if isinstance(content, Mapping):
        raise InputError(f"that is a table of names, not an array; choose one: {_listed(content)}.")
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(content)
            if found.dtype.kind not in "biufO":
                raise InputError(f"what is there are not numbers (they are {found.dtype}).")
            return np.array(found, np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(f"what is there are not numbers ({error}).") from error


def _listed(names: Mapping[Any, Any]) -> str:
    some = [f"'{name}'" for name in list(names)[:5]]
    return ", ".join(some) + (f" … ({len(names)} in all)" if len(names) > len(some) else "")
