"""Which instants a clip is stored at, and what is done to frames and samples once they are decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image

Frame = NDArray[np.uint8]  # (H, W, 3) RGB
Samples = NDArray[np.float32]  # (S,) mono, in [-1, 1] unless the file exceeds full scale
Instants = NDArray[np.float64]  # (T,) seconds

TOLERANCE = 5e-4
"""Seconds within which two times are the same: containers round to 1 ms, decord to 32-bit floats."""


def instant(k: Any, rate: float, start: float) -> Any:
    """The k-th sample instant of a span (k a number or an array): the middle of the k-th 1/rate seconds."""
    return start + (k + 0.5) / rate


def instants(rate: float, start: float, end: float) -> Instants:
    """All sample instants of [start, end); `start` alone if the span is shorter than half a period."""
    candidates = instant(np.arange(int(max(0.0, end - start) * rate) + 1), rate, start)
    inside = candidates[candidates < end - TOLERANCE]
    return inside if len(inside) else np.array([start], np.float64)


def shown_at(frame_times: Instants, when: Instants) -> NDArray[np.intp]:
    """For each instant, the index of the last frame that starts at or before it, else of the first frame."""
    return np.maximum(np.searchsorted(frame_times, when + TOLERANCE, side="right") - 1, 0)


def resize_short_side(frame: Frame, size: int, aspect: float = 1.0) -> Frame:
    """The frame with its short side at `size` pixels, its shape kept (bilinear, antialiased).

    Args:
        aspect: width of a pixel over its height; what comes out has square ones.
    """
    height, width = frame.shape[:2]
    shown_height, shown_width = height / min(aspect, 1.0), width * max(aspect, 1.0)
    scale = size / min(shown_height, shown_width)
    if scale == aspect == 1:
        return np.ascontiguousarray(frame)
    target = (max(size, round(shown_width * scale)), max(size, round(shown_height * scale)))
    image = Image.new("RGB", (width, height), None)  # filled at once: `fromarray` would copy and clear first
    image.frombytes(np.ascontiguousarray(frame))
    return np.asarray(image.resize(target, Image.Resampling.BILINEAR))


def as_float(samples: NDArray[Any]) -> Samples:
    """PCM samples as floats of full scale 1. Unsigned bytes are centred on 128."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if np.issubdtype(samples.dtype, np.signedinteger):
        return samples.astype(np.float32) / np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    return samples.astype(np.float32)


def resample(samples: Samples, source_rate: int, rate: int) -> Samples:
    """The waveform at another sample rate (soxr, high quality)."""
    if source_rate == rate or not len(samples):
        return samples
    resampled: Samples = soxr.resample(samples, source_rate, rate, quality="HQ")
    return resampled
