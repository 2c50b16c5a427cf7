"""What is kept is made once; what does not fit, or changes from epoch to epoch, is made each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.data.test_augment import dataset

from mmvideo.config import AugmentConfig
from mmvideo.memory import Memory


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
    ("data", "changing"),
    [
        ({"augment": AugmentConfig(gain_db=3.0)}, {"visual", "audio"}),
        ({"augment": AugmentConfig(word_dropout=0.5)}, {"visual", "text"}),
        ({"audio_snr_db": 0.0}, {"visual"}),
        ({"audio_snr_db": 0.0, "augment": AugmentConfig(redraw_noise=True)}, {"visual", "audio"}),
        ({"max_seconds": 0.5}, {"visual", "audio", "text"}),
    ],
)
def test_inputs_are_kept_where_they_cannot_change(data: dict[str, Any], changing: set[str]) -> None:
    training = dataset(True, **data)
    first, second = training[0].inputs, training[0].inputs
    assert {m for m in first if first[m][0] is not second[m][0]} == changing
    evaluation = dataset(False, **data)
    first, second = evaluation[0].inputs, evaluation[0].inputs
    assert all(first[m][0] is second[m][0] for m in first)
