"""Small pictures of clips: their size, what they show, and what there is none of."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.opened import store_settings
from mmvideo.inspection.stills import FRAME, FRAMES, LETTERS, SPECTROGRAM, still, stills
from mmvideo.report.clips import PICTURED
from mmvideo.store.clip_format import StoredClip, write_clip
from mmvideo.store.object_store import object_path
from mmvideo.store.store import Store
from mmvideo.store.subtitles import Word


def opened(uri: str | None) -> np.ndarray:
    assert uri is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_frames_stand_in_their_order_and_sound_at_its_height() -> None:
    frames = np.repeat(np.arange(8, dtype=np.uint8) * 30, 36 * 64 * 3).reshape(8, 36, 64, 3)
    tone = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000).astype(np.float32)
    shown = still(StoredClip(frames=frames, frame_times=np.arange(8.0), samples=tone))
    strip = opened(shown.frames)
    assert strip.shape == (54, FRAMES * (FRAME[0] + 2) - 2, 3), "as wide as allowed, in its own shape"
    middles = strip[27, FRAME[0] // 2 :: FRAME[0] + 2, 0].astype(int)
    assert middles == pytest.approx([0, 60, 150, 210], abs=3), "the first, the last, and two between"
    spectrogram = opened(shown.spectrogram)
    assert spectrogram.shape == SPECTROGRAM[::-1]
    assert spectrogram.mean(axis=1).argmax() == pytest.approx(0.75 * SPECTROGRAM[1], abs=1), "2 of 8 kHz"
    assert shown.words == ""


def test_pictures_of_noise_and_long_words_stay_small() -> None:
    noise = np.random.default_rng(0)
    clip = StoredClip(
        frames=noise.integers(256, size=(4, 120, 180, 3), dtype=np.uint8),
        frame_times=np.arange(4.0),
        samples=noise.normal(size=16000).astype(np.float32),
        words=tuple(Word("word", 0, 1) for _ in range(500)),
    )
    shown = still(clip)
    assert len(shown.words) <= LETTERS + 2
    assert PICTURED * (len(shown.frames or "") + len(shown.spectrogram or "") + len(shown.words)) < 150_000


def test_silence_is_a_picture_and_what_is_absent_is_none() -> None:
    silent = still(StoredClip(samples=np.zeros(300, np.float32)))
    assert opened(silent.spectrogram).max() == 0
    assert silent.frames is None


def test_only_clips_that_the_store_holds_are_shown(tmp_path: Path) -> None:
    clips = []
    for name in ("held", "other", "lost"):
        (tmp_path / f"{name}.mp4").write_text(name)
        clips.append(Clip(id=name, label="a", group=name, split="test", video=f"{name}.mp4"))
    config = RunConfig(data=DataConfig(store=str(tmp_path / "store")))
    manifest, store = Manifest(tuple(clips), tmp_path), Store(config.data.store, store_settings(config))
    for clip in clips[:2]:
        path = object_path(store.root, store.key(clip, manifest, ContentHashes()))
        write_clip(path, StoredClip(words=(Word(clip.id, 0, 1),)), None)
    found = stills(config, manifest, ["held", "lost"])
    assert {id: still.words for id, still in found.items()} == {"held": "held"}
