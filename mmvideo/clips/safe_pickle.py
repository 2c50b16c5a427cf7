"""Reading pickles that hold data and nothing else.

A pickle is a program: loading one from somebody else runs what it says. The reader here knows the few names
that NumPy arrays need and refuses every other, before anything is called (the approach that
https://docs.python.org/3/library/pickle.html#restricting-globals describes).
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy._core.multiarray import _reconstruct, scalar
from numpy.typing import NDArray

from mmvideo.errors import InputError


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as pickles of protocol 2 and older spell them."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding '{encoding}' are not read")
    return text.encode("latin-1")


def _from_buffer(
    buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: Literal["C", "F"]
) -> NDArray[Any]:
    """An array, as pickles of protocol 5 spell it."""
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    # NumPy 2 renamed its core; files from before and after are both about
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}
"""All that a file may name: (module, name) → what it gets."""


class _DataUnpickler(pickle.Unpickler):
    """Builds dictionaries, lists, tuples, sets, strings, bytes, numbers and NumPy arrays."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for '{module}.{name}', which is neither an array, a container, a text nor a number"
            ) from None


def load_data(path: str | Path) -> Any:
    """What a pickle holds, if that is data alone.

    Raises:
        InputError: the file names anything beyond `ALLOWED`, or is no pickle, or is cut off.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _DataUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path} cannot be read as a pickle of plain data: {error}. Only arrays, dictionaries, lists, "
            "texts and numbers are built from a pickle; save other things as .npy, .npz or .h5."
        ) from error
