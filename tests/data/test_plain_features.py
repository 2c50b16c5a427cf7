"""Plain features of clips given as arrays: what each column is, and zeros where there is nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clip_datasets import arrays_as_source

from mmvideo.components import EncoderChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.plain_features import MOST_PARTS, plain_features
from mmvideo.modalities.audio import corrupt
from mmvideo.modalities.plain import Mfcc
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.subtitles import Word

RATE = 8000
SOUND = EncoderChoice.of("spectrogram_cnn", sample_rate=RATE)


def features(stored: list[StoredClip], **inputs: Input) -> dict[str, Any]:
    config = RunConfig(inputs=inputs)
    source: Any = arrays_as_source(stored, config)
    return plain_features(config, source, source.clips)


def clip(levels: list[int]) -> StoredClip:
    """Grey frames of these levels, 0.25 s apart."""
    frames = np.tile(np.array(levels, np.uint8)[:, None, None, None], (1, 40, 64, 3))
    return StoredClip(frames=frames, frame_times=np.arange(len(levels)) / 4)


def test_pixels_mean_deviation_change_and_parts() -> None:
    block = features([clip([0, 51, 0, 51]), StoredClip()], visual=Input.of("visual"))["visual"]
    mean, deviation, change = block.summary[0].reshape(3, 768)
    np.testing.assert_allclose(mean, 0.1, atol=1e-6)
    np.testing.assert_allclose(deviation, 0.1, atol=1e-6)
    np.testing.assert_allclose(change, 0.2, atol=1e-6)
    np.testing.assert_allclose(block.parts[0].reshape(5, 768)[:, 0], [0, 0, 0.2, 0, 0.2], atol=1e-6)
    assert not block.summary[1].any()
    assert not block.parts[1].any()


def test_all_frames_count_however_runs_choose_them() -> None:
    every, few = (
        features([clip([0, 10, 200, 90, 4])], visual=Input.of("visual", **options))["visual"].summary
        for options in ({}, {"sampling": "uniform", "frames": 1, "flip_probability": 1.0})
    )
    assert np.array_equal(every, few)


@pytest.mark.parametrize("snr_db", [None, -10.0])
def test_mfcc_mean_and_deviation_of_the_sound_that_runs_hear(snr_db: float | None) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    block = features(
        [StoredClip(samples=samples), StoredClip()], audio=Input.of("audio", SOUND, snr_db=snr_db)
    )
    hops = torch.from_numpy(corrupt(samples, snr_db, "clip0")).view(50, 160)
    columns = Mfcc(RATE, 160)(hops).numpy()
    summary = np.concatenate([columns.mean(axis=0), columns.std(axis=0)])
    np.testing.assert_allclose(block["audio"].summary[0], summary, atol=1e-4)
    parts = block["audio"].parts[0].reshape(MOST_PARTS, 40)
    np.testing.assert_allclose(parts[0], columns[:4].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(parts[-1], columns[45:].mean(axis=0), atol=1e-4)
    assert not block["audio"].summary[1].any()


def test_terms_are_those_of_training_clips() -> None:
    said = ["red red boat", "a boat", ""]
    stored = [StoredClip(words=tuple(Word(w, 0.1, 0.2) for w in text.split())) for text in said]
    block = features(stored, text=Input.of("text"))["text"]
    assert block.together
    assert block.parts.shape == (3, 0)
    assert block.summary.shape == (3, 3)  # a, boat, red
    np.testing.assert_allclose(np.linalg.norm(block.summary, axis=1), [1, 1, 0], atol=1e-6)
    assert block.summary[0, 2] > 2 * block.summary[0, 1] > 0


def test_a_modality_that_no_clip_has_is_left_out() -> None:
    found = features(
        [clip([1, 2])], visual=Input.of("visual"), audio=Input.of("audio", SOUND), text=Input.of("text")
    )
    assert list(found) == ["visual"]
