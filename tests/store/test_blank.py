"""What is there and holds nothing: the exact limits, and how it is kept and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmvideo.store.build_report import BuildReport
from mmvideo.store.clip_format import StoredClip, read_header, write_clip

STEP = 1 / 32768
SOUNDS = {
    "zeros": (np.zeros(800), True),
    "an offset": (np.full(800, 0.2), True),
    "the last bit of 16": (STEP * (np.arange(800) % 2), True),
    "two bits": (STEP * 2 * (np.arange(800) % 3 - 1), False),
    "one click": (np.eye(1, 800)[0] * 1e-3, False),
    "-80 dB": (1e-4 * np.sin(np.arange(800)), False),
}
GREY = np.full((3, 8, 8, 3), 100, np.uint8)


def with_change(by: int, where: tuple[int, ...]) -> np.ndarray:
    changed = GREY.copy()
    changed[where] += by
    return changed


PICTURES = {
    "one grey": (GREY, True),
    "one colour": (GREY * np.array([1, 2, 0], np.uint8), True),
    "rounding": (with_change(2, (1, 4, 4)), True),
    "a dot in the last frame": (with_change(3, (2, 4, 4)), False),
    "a flash": (with_change(50, (1,)), False),
    "a frozen picture": (with_change(50, (slice(None), 0)), False),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_silence(name: str) -> None:
    samples, silent = SOUNDS[name]
    assert StoredClip(samples=samples.astype(np.float32)).blank == (("audio",) if silent else ())


@pytest.mark.parametrize("name", PICTURES)
def test_one_colour(name: str) -> None:
    frames, blank = PICTURES[name]
    assert StoredClip(frames=frames, frame_times=np.arange(3.0)).blank == (("visual",) if blank else ())


@pytest.mark.parametrize("jpeg_quality", [None, 50])
def test_it_is_kept_with_the_clip_and_counted(tmp_path: Path, jpeg_quality: int | None) -> None:
    clip = StoredClip(GREY, np.arange(3.0), np.zeros(800, np.float32))
    write_clip(tmp_path / "blank.safetensors", clip, None, jpeg_quality=jpeg_quality)
    header = read_header(tmp_path / "blank.safetensors")
    assert (header.present, header.blank) == (("visual", "audio"), ("visual", "audio"))
    assert StoredClip().blank == ()
    report = BuildReport(present={"a": header.present}, blank={"a": header.blank, "b": ("audio",)})
    assert "2 with audio that is digital silence" in report.summary()
    assert "1 with visual that is of one colour throughout" in report.summary()
