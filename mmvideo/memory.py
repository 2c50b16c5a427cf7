"""What need not be read or made twice in a process, up to a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
from torch import Tensor

T = TypeVar("T")
MEMORY_BYTES = 256 * 2**20


class Memory:
    """Keeps values by key until it is full; what comes later is made anew each time.

    Nothing makes room for anything else: epochs go round all clips, and what was used longest ago is what is
    needed next.

    Args:
        limit: bytes of arrays and tensors that are kept; everything else counts 64 bytes.
    """

    def __init__(self, limit: int = MEMORY_BYTES) -> None:
        self.limit, self.used = limit, 0
        self._kept: dict[Hashable, Any] = {}

    def held(self, key: Hashable) -> Any:
        """The value kept under the key; None if there is none."""
        return self._kept.get(key)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value kept under the key, or what `make` makes."""
        if key in self._kept:
            return cast(T, self._kept[key])
        value = make()
        size = _size(value)
        if self.used + size <= self.limit:
            self._kept[key] = value
            self.used += size
        return value


def _size(value: Any) -> int:
    if isinstance(value, (np.ndarray, Tensor)):
        return int(value.nbytes)
    if isinstance(value, tuple):
        return sum(map(_size, value))
    if is_dataclass(value):
        return sum(_size(getattr(value, f.name)) for f in fields(value))
    return 64
