"""Which frames of a window are used: never twice, in order, at the places each way promises."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.data.sampling import Sampling, choose_frames


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
