"""Planted files, read back by the decoder that the store uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmvideo.planted.render import FRAME_RATE, FRAMES, SAMPLE_RATE, SAMPLES
from mmvideo.planted.write import write_mp4
from mmvideo.store.decode import decode_audio, decode_video


def test_sight_and_sound_come_back_at_their_times(tmp_path: Path) -> None:
    """A click in the sound, and the frame that turns bright with it, are where they were written."""
    frames = np.full((FRAMES, 64, 64, 3), 40, np.uint8)
    frames[FRAMES // 2 :] = 220
    samples = np.zeros(SAMPLES, np.float32)
    samples[SAMPLES // 2 : SAMPLES // 2 + 32] = 0.8
    path = tmp_path / "clip.mp4"
    write_mp4(path, frames, samples)
    heard = decode_audio(path, sample_rate=SAMPLE_RATE)
    seen = decode_video(path, rate=FRAME_RATE, size=64)
    assert heard is not None
    assert seen is not None
    sound = heard[0]
    assert abs(len(sound) - SAMPLES) <= 1024, "one AAC frame of 64 ms may be padding"
    assert abs(np.abs(sound).argmax() - SAMPLES // 2) / SAMPLE_RATE < 0.005
    assert len(seen.frames) == FRAMES
    bright = seen.frames.mean(axis=(1, 2, 3)) > 130
    assert bright.tolist() == [t >= FRAMES // 2 for t in range(FRAMES)]
