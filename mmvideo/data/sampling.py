"""Which of a window's stored frames a sample shows."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["rate", "uniform", "segment", "dense"]


def choose_frames(
    available: int,
    how: Sampling,
    frames: int,
    stride: int,
    *,
    draw: np.random.Generator | None = None,
    share: float = 0.5,
) -> NDArray[np.intp]:
    """Which of a window's `available` stored frames are used: increasing indices, none twice.

    Args:
        how: `rate` takes all; `uniform` the middle ones of `frames` equal parts; `segment` the same, or with
            `draw` a random one of each part; `dense` takes `frames` of them, `stride` apart.
        frames: how many; where there are fewer, fewer are taken.
        draw: random places, as in training. None: fixed ones.
        share: without `draw`, where dense frames lie: 0 at the window's start, 1 at its end.
    """
    if how == "rate" or not available:
        return np.arange(available)
    if how == "dense":
        count = min(frames, (available - 1) // stride + 1)
        spare = available - ((count - 1) * stride + 1)
        first = int(draw.integers(spare, endpoint=True)) if draw else round(share * spare)
        return first + stride * np.arange(count)
    edges = np.arange(min(frames, available) + 1) * available // min(frames, available)
    if how == "segment" and draw:
        return draw.integers(edges[:-1], edges[1:]).astype(np.intp)
    return (edges[:-1] + edges[1:]) // 2
