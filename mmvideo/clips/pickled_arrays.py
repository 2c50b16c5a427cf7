"""What a pickle says of NumPy arrays, made into arrays by us: a dtype's name, a shape and bytes that fit it.

Nothing here is a class or function of NumPy that a file could reach: what it names are values of ours, and
what it calls by them are the functions in `CALLS`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPE = re.compile(r"[<>=|]?(?:[biuf][1248]|[US][1-9]\d{0,6}|O8?)")
"""Numbers of up to 64 bits, texts, bytes; and objects, which become lists of plain values."""
Spend = Callable[[int], None]
"""Takes bytes that are made from what the file's budget leaves; raises UnpicklingError where that is less."""


@dataclass(frozen=True)
class Named:
    """A class or function that the file names; inert."""

    module: str
    name: str


@dataclass
class Dtype:
    """A NumPy dtype that the file describes."""

    name: str
    order: str

    def fill(self, state: tuple[Any, ...]) -> None:
        """Take the byte order from the state that NumPy gives a dtype."""
        _, order, *parts = state
        if order not in ("<", ">", "=", "|") or any(part is not None for part in parts[:3]):
            raise UnpicklingError("a dtype has fields or no byte order; plain numbers and texts are read")
        self.order = order

    def made(self) -> np.dtype[Any]:
        """NumPy's own. Raises TypeError for a size that the kind of number does not come in."""
        return np.dtype(self.name.lstrip("<>=|")).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass
class Unfilled:
    """An array that the file has asked for; its shape and bytes follow."""

    noted: list[int] = field(default_factory=list)
    """Where the file has noted it."""


def array(spend: Spend, content: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any] | list[Any]:
    """The array, once its parts fit, read-only; a list for one dimension of objects.

    Raises:
        UnpicklingError: they do not fit, or a text holds what is no character.
    """
    if not isinstance(dtype, Dtype) or type(shape) is not tuple or len(shape) > 16:
        raise UnpicklingError("an array has no dtype or no shape")
    if any(type(length) is not int or length < 0 for length in shape) or order not in ("C", "F"):
        raise UnpicklingError("an array's shape is none")
    if dtype.name.lstrip("<>=|").startswith("O"):
        if type(content) is not list or shape != (len(content),):
            raise UnpicklingError("an array of objects is not a plain list of them")
        return content
    kind = dtype.made()
    if type(content) is str:  # as Python 2 spells bytes
        content = content.encode("latin-1")
    if type(content) not in (bytes, bytearray) or len(content) != kind.itemsize * math.prod(shape):
        raise UnpicklingError(f"an array of shape {shape} and {kind} does not have the bytes for it")
    spend(len(content))
    made = np.frombuffer(content, kind) if content else np.zeros(0, kind)
    made = made.reshape(shape, order=order)  # type: ignore[call-overload]
    if kind.kind == "b":
        made = made.view(np.uint8) != 0  # another byte is no truth value, and NumPy does not look
    elif kind.kind == "U" and np.frombuffer(content, f"{kind.str[0]}u4").max(initial=0) > sys.maxunicode:
        raise UnpicklingError("a text holds what is no character")
    made.flags.writeable = False
    return made


def _dtype(_: Spend, name: Any, *flags: Any) -> Dtype:
    if type(name) is not str or not DTYPE.fullmatch(name):
        raise UnpicklingError("an array's dtype is neither numbers of up to 64 bits nor texts")
    return Dtype(name, name[0] if name[0] in "<>" else "=")


def _reconstruct(_: Spend, kind: Any, *rest: Any) -> Unfilled:
    if kind != NDARRAY:
        raise UnpicklingError("an array is of a class of its own")
    return Unfilled()


def _scalar(spend: Spend, dtype: Any, content: Any) -> Any:
    return array(spend, content, dtype, (1,), "C")[0]


def _encode(spend: Spend, text: Any, encoding: Any) -> bytes:
    """Bytes, as pickles of protocol 2 and older spell them."""
    if encoding not in ("latin1", "latin-1") or type(text) is not str:
        raise UnpicklingError(f"bytes in the encoding '{encoding}' are not read")
    spend(len(text))
    return text.encode("latin-1")


NDARRAY = Named("numpy", "ndarray")
CALLS: dict[Named, Callable[..., Any]] = {
    Named("numpy", "dtype"): _dtype,
    Named("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    Named("numpy._core.multiarray", "scalar"): _scalar,
    Named("numpy._core.numeric", "_frombuffer"): array,
    Named("_codecs", "encode"): _encode,
    Named("collections", "OrderedDict"): lambda _: {},
    Named("builtins", "bytes"): lambda _: b"",
    Named("__builtin__", "bytes"): lambda _: b"",
}
"""All that a file may call, and what is done in its place."""


def named(module: Any, name: Any) -> Named:
    """What the file asks for by its name.

    Raises:
        UnpicklingError: neither arrays nor plain data need it.
    """
    # NumPy 2 renamed its core; files from before and after are both about
    found = Named(str(module).replace("numpy.core.", "numpy._core."), str(name))
    if found not in CALLS and found != NDARRAY:
        raise UnpicklingError(
            f"it asks for '{module}.{name}', which is neither an array, a container, a text nor a number"
        )
    return found
