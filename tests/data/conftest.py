"""Tiny media files with known content, and where the real ones lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

MakeVideo = Callable[..., Path]

GREY_STEP = 8
"""Frame i of a made video is one grey of level 16 + 8 i, so that each of the first 30 tells its number."""


def grey_frame(index: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), min(255, 16 + GREY_STEP * index), np.uint8)


def make_video(
    path: Path,
    *,
    frames: int = 20,
    fps: int = 10,
    size: tuple[int, int] = (64, 48),
    times: Sequence[float] | None = None,
    picture: Callable[[int, int, int], NDArray[np.uint8]] = grey_frame,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: NDArray[np.float32] | None = None,
    sample_rate: int = 16000,
    sound_codec: str = "aac",
    sound_start: float = 0.0,
) -> Path:
    """Write a video; `times` in seconds make its frame rate variable, `sound` adds a mono track."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps, options=options or {})
        video.width, video.height, video.pix_fmt = *size, pixels
        if times is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = (
            container.add_stream(sound_codec, rate=sample_rate, layout="mono") if sound is not None else None
        )
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(i, *size), format="rgb24")
            if times is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), round(times[i] * 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            assert sound is not None
            for start in range(0, len(sound), 1024):
                chunk = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], "fltp", "mono")
                chunk.sample_rate, chunk.time_base = sample_rate, Fraction(1, sample_rate)
                chunk.pts = start + round(sound_start * sample_rate)
                container.mux(audio.encode(chunk))
            container.mux(audio.encode())
    return path


def clicks(seconds: float, at: Sequence[float], sample_rate: int = 16000) -> NDArray[np.float32]:
    """Silence with a 20 ms burst of 1 kHz at each given time."""
    sound = np.zeros(round(seconds * sample_rate), np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(round(0.02 * sample_rate)) / sample_rate)
    for time in at:
        first = round(time * sample_rate)
        sound[first : first + len(burst)] = burst
    return sound


@pytest.fixture
def video(tmp_path: Path) -> MakeVideo:
    """`video("name.mp4", …)` writes a file into the test's folder."""
    return lambda name, **how: make_video(tmp_path / name, **how)


@pytest.fixture
def click_track() -> Callable[..., NDArray[np.float32]]:
    return clicks


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MMVIDEO_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs real clips; no folder {folder} (set MMVIDEO_SHARED_DATA)")
    return folder
