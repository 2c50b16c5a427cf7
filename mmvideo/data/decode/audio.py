"""A span's sound as one mono waveform. Always PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame

from mmvideo.data.decode.container import DecodeError, decoded
from mmvideo.data.sampling import Samples, as_float, resample

LARGEST_GAP = 0.1
"""Seconds of missing audio that are filled with silence; smaller steps are the container's rounding."""


def decode_audio(
    path: str | Path, *, sample_rate: int, start: float = 0.0, end: float | None = None
) -> tuple[Samples, float] | None:
    """A span's sound, mono, with sample 0 at `start`; None if there is no audio stream, or none in the span.

    A stream that sets in later than `start` is led in with silence, as are gaps within it, so that sound and
    picture stay aligned. Channels are averaged.

    Returns:
        samples (S,) float32; the time of sample 0 in the file, in seconds.

    Raises:
        DecodeError: the file is damaged.
    """
    stop = float("inf") if end is None else end
    chunks: list[Samples] = []
    rate = length = 0
    for time, frame in decoded(path, "audio", start):
        rate = rate or frame.sample_rate
        if frame.sample_rate != rate:
            raise DecodeError(path, f"the audio's sample rate changes from {rate} to {frame.sample_rate} Hz")
        mono = _mono(frame)
        if time >= stop:
            break
        offset = round((time - start) * rate)
        if offset + len(mono) <= 0:
            continue
        if not chunks and offset < 0:
            mono, offset = mono[-offset:], 0
        if offset - length > (LARGEST_GAP * rate if chunks else 0):
            chunks.append(np.zeros(offset - length, np.float32))
            length = offset
        chunks.append(mono)
        length += len(mono)
    if not chunks:
        return None
    samples = resample(np.concatenate(chunks), rate, sample_rate)
    if end is not None:
        samples = samples[: round((end - start) * sample_rate)]
    return samples, start


def _mono(frame: AudioFrame) -> Samples:
    """All channels averaged, (S,)."""
    samples = as_float(frame.to_ndarray())
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return samples.mean(axis=0)
