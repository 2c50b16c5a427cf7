"""What is kept is made once; what does not fit, or changes from epoch to epoch, is made each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clip_datasets import inputs, make_dataset

from mmvideo.config import DataConfig, RunConfig
from mmvideo.memory import Memory
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.subtitles import Word


def test_what_fits_is_made_once_and_the_rest_each_time() -> None:
    memory, made = Memory(limit=1000), []

    def make(size: int) -> np.ndarray:
        made.append(size)
        return np.zeros(size, np.uint8)

    for _ in range(3):
        for size in (600, 500, 300):
            assert len(memory.get(size, lambda size=size: make(size))) == size
    assert (made.count(600), made.count(500), made.count(300)) == (1, 3, 1)
    assert memory.used == 900


def test_tensors_in_tuples_count() -> None:
    memory = Memory()
    memory.get("x", lambda: (torch.zeros(10), torch.zeros(5, dtype=torch.int64)))
    assert memory.used == 80


@pytest.mark.parametrize(
    ("options", "seconds", "changing"),
    [
        ({"audio": {"gain_db": 3.0}}, 1.0, {"visual", "audio"}),
        ({"text": {"word_dropout": 0.5}}, 1.0, {"visual", "text"}),
        ({"audio": {"snr_db": 0.0}}, 1.0, {"visual"}),
        ({"audio": {"snr_db": 0.0, "redraw_noise": True}}, 1.0, {"visual", "audio"}),
        ({"visual": {"sampling": "segment"}}, 1.0, {"visual"}),
        ({}, 0.5, {"visual", "audio", "text"}),
    ],
)
def test_inputs_are_kept_where_they_cannot_change(
    options: dict[str, Any], seconds: float, changing: set[str]
) -> None:
    frames = np.zeros((8, 20, 20, 3), np.uint8)
    words = (Word("one", 0.0, 0.5), Word("two", 0.5, 1.0))
    stored = StoredClip(frames, (np.arange(8) + 0.5) / 8, np.ones(1000, np.float32), words)
    config = RunConfig(inputs=inputs(**options), data=DataConfig(max_seconds=seconds))
    for training, kept in ((True, {"visual", "audio", "text"} - changing), (False, set(config.modalities))):
        data = make_dataset([stored], config, training=training)
        first, second = data[0].inputs, data[0].inputs
        assert {m for m in first if first[m][0] is second[m][0]} == kept
