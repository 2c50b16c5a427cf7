"""A span's sound as one mono waveform. Always PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from mmvideo.store.decode.clock import clock_of
from mmvideo.store.decode.container import DecodeError
from mmvideo.store.decode.filled import Filled
from mmvideo.store.decode.frames import decoded, jumps_told
from mmvideo.store.media import Samples, as_float, resample

LARGEST_GAP = 0.1
"""Seconds of missing audio that are filled with silence; smaller steps are the container's rounding."""
LEAST_OVERLAP = 0.005
"""Seconds from which on what the sound of parts that were laid end to end has in common is left out."""
LOUDEST = 1e3
"""Times full scale that sound may reach; what stands in a file beyond is no sound, and would leave the rest
without a bit of its own."""
AT_ONCE = 64
"""Frames whose channels are averaged together."""


def decode_audio(
    path: str | Path,
    *,
    sample_rate: int,
    start: float = 0.0,
    end: float | None = None,
    beside: float = 0.0,
) -> tuple[Samples, tuple[str, ...]] | None:
    """A span's sound, mono, with sample 0 at `start`; None if there is no audio stream, or none in the span.

    A stream that sets in later than `start` is led in with silence, as are gaps within it, so that sound and
    picture stay aligned. Channels are averaged.

    Args:
        beside: seconds of picture that the sound goes with; silence may be as long.

    Returns:
        samples (S,) float32; warnings, of much silence that was filled in, or of a clock that jumps.

    Raises:
        DecodeError: the file is damaged, almost nothing but gaps, or holds what is no sound (see `LOUDEST`).
    """
    stop = float("inf") if end is None else end
    track = _Track()
    filled = Filled(Path(path), "silence")
    joined = clock_of(path).jumps > 0
    rate = 0
    for time, frame in decoded(path, "audio", start):
        rate = rate or frame.sample_rate
        if frame.sample_rate != rate:
            raise DecodeError(path, f"the audio's sample rate changes from {rate} to {frame.sample_rate} Hz")
        if time >= stop:
            break
        offset = round((time - start) * rate)
        skipped = max(0, track.length - offset)
        if track.length and not (joined and skipped > LEAST_OVERLAP * rate):
            skipped = 0
        elif skipped >= frame.samples:
            continue
        gap = offset + skipped - track.length
        if gap > (LARGEST_GAP * rate if track.length else 0):
            filled.add(gap / rate, beside + track.length / rate - filled.seconds)
            track.silence(gap)
        track.add(frame, skipped)
    if not track.length:
        return None
    samples = track.samples()
    if not np.abs(samples).max() <= LOUDEST:  # nor is it so of what is not a number
        raise DecodeError(
            path, f"its sound has samples that are no numbers, or beyond {LOUDEST:g} times full scale"
        )
    samples = resample(samples, rate, sample_rate)
    if end is not None:
        samples = samples[: round((end - start) * sample_rate)]
    return samples, (*filled.warnings, *jumps_told(path))


class _Track:
    """Puts frames together to one mono waveform. Channels are averaged for many frames at a time."""

    def __init__(self) -> None:
        self.length = 0
        """Samples so far."""
        self._mono: list[Samples] = []
        self._alike: list[NDArray[Any]] = []  # (C, S) each, of one format
        self._format: tuple[str, int] = ("", 0)

    def add(self, frame: AudioFrame, skipped: int) -> None:
        """The frame without its first `skipped` samples."""
        layout = (frame.format.name, frame.layout.nb_channels)
        if layout != self._format or len(self._alike) == AT_ONCE:
            self._average()
        samples = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = samples.reshape(-1, frame.layout.nb_channels).T
        self._format = layout
        self._alike.append(samples[:, skipped:])
        self.length += frame.samples - skipped

    def silence(self, count: int) -> None:
        self._average()
        self._mono.append(np.zeros(count, np.float32))
        self.length += count

    def samples(self) -> Samples:
        """All of it, (S,)."""
        self._average()
        return np.concatenate(self._mono)

    def _average(self) -> None:
        if self._alike:
            self._mono.append(as_float(np.concatenate(self._alike, axis=1)).mean(axis=0))
            self._alike = []
