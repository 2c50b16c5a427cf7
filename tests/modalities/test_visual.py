"""Which frames of a window are used: never twice, in order, at the places each way promises."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from clip_datasets import inputs, make_dataset
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.config import DataConfig, RunConfig
from mmvideo.modalities.visual import Sampling, choose_frames
from mmvideo.store.clip_format import StoredClip


@given(
    st.sampled_from(get_args(Sampling)),
    st.integers(0, 60),
    st.integers(1, 20),
    st.integers(1, 7),
    st.one_of(st.none(), st.integers(0, 2**32)),
    st.floats(0, 1),
)
def test_indices_are_inside_increasing_and_as_many_as_there_can_be(
    how: Sampling, available: int, frames: int, stride: int, seed: int | None, share: float
) -> None:
    draw = None if seed is None else np.random.default_rng(seed)
    chosen = choose_frames(available, how, frames, stride, draw=draw, share=share)
    assert (np.diff(chosen) > 0).all()
    assert ((chosen >= 0) & (chosen < available)).all()
    room = -(-available // stride) if how == "dense" else available
    assert len(chosen) == (available if how == "rate" else min(frames, room))
    if how == "dense":
        assert (np.diff(chosen) == stride).all()


@pytest.mark.parametrize(("how", "expected"), [
    ("rate", list(range(12))),
    ("uniform", [1, 4, 7, 10]),
    ("segment", [1, 4, 7, 10]),
    ("dense", [2, 4, 6, 8]),
])  # fmt: skip
def test_evaluation_takes_the_middle(how: Sampling, expected: list[int]) -> None:
    assert choose_frames(12, how, 4, 2).tolist() == expected


def test_a_view_decides_where_dense_frames_lie() -> None:
    starts = [int(choose_frames(12, "dense", 4, 2, share=share)[0]) for share in (0.0, 0.5, 1.0)]
    assert starts == [0, 2, 5]


def test_segments_give_a_random_frame_of_each_part_and_reach_them_all() -> None:
    draw = np.random.default_rng(0)
    drawn = np.array([choose_frames(12, "segment", 4, 1, draw=draw) for _ in range(300)])
    for part in range(4):
        assert set(drawn[:, part].tolist()) == {3 * part, 3 * part + 1, 3 * part + 2}


def test_dense_starts_anywhere_in_training() -> None:
    draw = np.random.default_rng(0)
    starts = {int(choose_frames(12, "dense", 4, 2, draw=draw)[0]) for _ in range(200)}
    assert starts == set(range(6))


def test_uniform_is_not_random() -> None:
    draw = np.random.default_rng(0)
    assert (
        choose_frames(30, "uniform", 5, 1, draw=draw).tolist() == choose_frames(30, "uniform", 5, 1).tolist()
    )


@pytest.mark.parametrize(("options", "expected"), [
    ({}, list(range(4, 12))),
    ({"sampling": "uniform", "frames": 4}, [5, 7, 9, 11]),
    ({"sampling": "dense", "frames": 3, "frame_stride": 2}, [6, 8, 10]),
])  # fmt: skip
def test_a_sample_shows_the_chosen_frames_of_its_window(options: dict[str, Any], expected: list[int]) -> None:
    """Frame i is of level i; the window is the middle second of two."""
    frames = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None], (16, 16, 16, 3)).copy()
    config = RunConfig(
        inputs=inputs(visual={"frame_size": 16, **options}), data=DataConfig(), modalities=("visual",)
    )
    shown, times = make_dataset([StoredClip(frames, (np.arange(16) + 0.5) / 8)], config)[0].inputs["visual"]
    assert shown[:, 0, 0, 0].tolist() == expected
    np.testing.assert_allclose(times.numpy(), [(i + 0.5) / 8 - 0.5 for i in expected], atol=1e-6)


def test_random_frames_of_segments_are_drawn_anew_in_each_epoch() -> None:
    frames = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None, None], (8, 16, 16, 3)).copy()
    config = RunConfig(
        inputs=inputs(visual={"frame_size": 16, "sampling": "segment", "frames": 2}), modalities=("visual",)
    )
    data = make_dataset([StoredClip(frames, (np.arange(8) + 0.5) / 8)], config, training=True)
    drawn = set()
    for epoch in range(60):
        data.epoch = epoch
        drawn.add(tuple(data[0].inputs["visual"][0][:, 0, 0, 0].tolist()))
    assert drawn == {(a, b) for a in range(4) for b in range(4, 8)}
