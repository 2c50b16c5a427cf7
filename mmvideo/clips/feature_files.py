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

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.feature_archives import Hdf5, Npz, refuse_larger
from mmvideo.clips.safe_pickle import load_data
from mmvideo.errors import InputError

KEPT_OPEN = 64
"""How many files a process keeps open or in memory."""

LARGEST = 2**30
"""Bytes that one clip's features may take: a larger array has to be named by its row."""
MOST_STEPS = 32
SHOWN = 300
"""Characters that a message shows of a reason or a name."""

ROW = re.compile(r"\d{1,18}")
COLUMNS = re.compile(r"(\d{0,18}):(\d{0,18})")


def split_reference(reference: str) -> tuple[str, str]:
    """The file's path and the steps within it (empty: the whole file)."""
    path, found, steps = reference.rpartition("#")
    return (path, steps) if found else (reference, "")


def join_reference(path: str, steps: str) -> str:
    """The reference that `split_reference` takes apart."""
    return f"{path}#{steps}" if steps or "#" in path else path


def read_array(path: str | Path, steps: str = "") -> NDArray[np.float32]:
    """The array that a reference names. A file is opened, and a table or pickle read, once a process.

    .npy files are memory-mapped and of .h5 files only the part asked for is read; arrays of .npz files are
    read when they are asked for first; .csv files and pickles are held in memory.

    Raises:
        InputError: no such file, format, key, row or column, what is there are not real numbers or too many
            of them, or the file is far smaller than what it says it holds.
    """
    path = Path(path)
    if steps.count("/") > MOST_STEPS:
        raise InputError(f"{path}: a reference has at most {MOST_STEPS} steps after its `#`.")
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The feature file {path} cannot be read: {reason}.") from error
    with _named(path, ""):
        content = _opened(str(path), status.st_size, status.st_mtime_ns, os.getpid())
    with _named(path, steps):
        return as_numbers(_follow(content, steps))


@contextmanager
def _named(path: Path, steps: str) -> Iterator[None]:
    """Whatever the readers of a format raise in the block, as an error that names the file: a file that was
    damaged or forged raises nearly anything in NumPy, zipfile and h5py."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}#{steps}: {error}" if steps else f"{path}: {error}") from error
    except Exception as error:
        reason = str(error)[:SHOWN] or type(error).__name__
        raise InputError(f"{path} is not a valid {path.suffix.lower()} file: {reason}") from error


def has_content(path: str | Path, steps: str = "") -> bool:
    """Whether a reference names any vector that is not zeros (or not finite): if not, the clip has none.
    Raises InputError as `read_array` does."""
    return len(without_padding(np.nan_to_num(np.atleast_1d(read_array(path, steps)), posinf=0, neginf=0))) > 0


def without_padding(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (N, D), or one (D,), up to the last that is not all zeros."""
    values = np.atleast_2d(values)
    real = np.flatnonzero(values.any(axis=tuple(range(1, values.ndim))))
    return values[: real[-1] + 1 if len(real) else 0]


@lru_cache(maxsize=KEPT_OPEN)
def _opened(path: str, size: int, modified: int, process: int) -> Any:
    """The file's content. Size and time notice a change; an open .h5 file must not cross into a fork."""
    kind = Path(path).suffix.lower()
    if kind not in READERS:
        raise InputError(f"features must be one of {', '.join(READERS)}, not '{kind}'.")
    return READERS[kind](path)


def _read_npy(path: str) -> Any:
    values = np.lib.format.open_memmap(path, mode="r")
    behind = os.stat(path).st_size - values.offset - values.nbytes
    if behind:
        raise InputError(
            f"{behind:,} bytes stand behind the {values.shape} of {values.dtype} that it states."
        )
    return values


def _read_csv(path: str) -> NDArray[Any]:
    """All rows; a first row that is not all numbers is a header and does not count."""
    import pandas as pd

    first = pd.read_csv(path, header=None, nrows=1)
    named = pd.to_numeric(first.iloc[0], errors="coerce").isna().any()
    values = pd.read_csv(path, header=None, skiprows=int(named), low_memory=False).to_numpy()
    if values.shape[1] != first.shape[1]:
        raise InputError(f"its rows have {values.shape[1]} cells and its head has {first.shape[1]}.")
    return values


READERS = {
    ".npy": _read_npy,
    ".npz": Npz,
    ".h5": Hdf5,
    ".hdf5": Hdf5,
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
        refuse_larger(math.prod(shape) * 8, LARGEST, "what columns are chosen from")
        chosen = np.asarray(content)[..., first:last]
        if not chosen.shape[-1]:
            raise InputError(f"there are no columns {step}.")
        return chosen
    if int(step) >= shape[0]:
        raise InputError(f"row {step} of {shape[0]}; the first is 0.")
    return content[int(step)]


def as_numbers(content: Any, largest: int | None = LARGEST) -> NDArray[np.float32]:
    """The array as 32-bit numbers; what does not fit becomes infinite.

    Raises:
        InputError: that are not numbers; complex ones, which have no place in one; whole ones that 32-bit
            floats cannot tell apart, as of ids and times; or more than `largest` bytes.
    """
    if isinstance(content, Mapping):
        raise InputError(f"that is a table of names, not an array; choose one: {_listed(content)}.")
    if isinstance(getattr(content, "shape", None), tuple):
        if largest is not None:
            refuse_larger(math.prod(content.shape) * 4, largest, "one clip's features")
        _refuse_other(content.dtype)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.asarray(content)
            _refuse_other(found.dtype)
            if found.dtype.kind == "O" and not all(type(value) in (int, float) for value in found.flat):
                raise InputError("what is there are not numbers (some are texts, or nothing).")
            numbers = np.array(found, np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"what is there are not numbers ({str(error)[:SHOWN]}).") from error
    if found.dtype.kind in "iu" and found.dtype.itemsize > 2:
        lost = found[(numbers.astype(np.float64) != found) | (found > 2**53) | (found < -(2**53))]
        if lost.size:
            raise InputError(
                f"whole numbers such as {lost.flat[0]} do not fit 32-bit floats. Ids and times are no "
                "features: leave their column out (`#row/first:last`), or save the file as floats."
            )
    return numbers


def _refuse_other(kind: np.dtype[Any]) -> None:
    if kind.kind == "c":
        raise InputError(f"complex numbers ({kind}) are no features; save real and imaginary part as two.")
    if kind.kind not in "biufO":
        raise InputError(f"what is there are not numbers (they are {kind}).")


def _listed(names: Mapping[Any, Any]) -> str:
    some = [f"'{str(name)[:SHOWN]}'" for name in islice(names, 5)]
    return ", ".join(some) + (f" … ({len(names)} in all)" if len(names) > len(some) else "")
