"""Views of a clip in evaluation: where they lie, their order, and what the control makes of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clip_datasets import inputs, make_dataset

from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.dataset import ClipDataset, PermutedModalities, evaluation_views
from mmvideo.store.clip_format import StoredClip

RATE, SIZE = 8, 20


def stored(seconds: float, level: int = 0) -> StoredClip:
    """Frame t at column x is of level 10 t + x // 4; sample i has the value level + i / 8000."""
    count = round(seconds * RATE)
    ramp = (np.arange(32) // 4)[None, None, :, None] + 10 * np.arange(count)[:, None, None, None]
    frames = np.broadcast_to(ramp, (count, SIZE, 32, 3)).astype(np.uint8)
    samples = level + np.arange(round(seconds * 1000), dtype=np.float32) / 8000
    return StoredClip(frames, (np.arange(count) + 0.5) / RATE, samples)


def dataset(clips: list[StoredClip], views: bool = True, crops: int = 1, **data: Any) -> ClipDataset:
    config = RunConfig(
        inputs=inputs(visual={"frame_size": SIZE, "eval_crops": crops}),
        modalities=("visual", "audio"),
        data=DataConfig(frame_rate=RATE, **data),
    )
    return make_dataset(clips, config, views=views)


@pytest.mark.parametrize(("windows", "crops"), [(1, 1), (1, 3), (4, 1), (10, 3), (2, 5)])
def test_all_windows_and_crops_are_there_once(windows: int, crops: int) -> None:
    modalities: Any = [SimpleNamespace(variants=crops), SimpleNamespace(variants=1)]
    views = evaluation_views(windows, modalities)
    assert len(set(views)) == len(views) == windows * crops
    assert len({view.window for view in views}) == windows
    assert (0.5 in {view.window for view in views}) == (windows % 2 == 1)


def test_windows_reach_from_start_to_end_alike_in_pictures_and_sound() -> None:
    data = dataset([stored(3.0)], eval_views=3, max_seconds=1.0)
    assert len(data) == 3
    for index, start in enumerate((0, 8, 16)):
        inputs = data[index].inputs
        assert int(inputs["visual"][0][0, 0, 0, 0]) == 10 * start + 2
        assert float(inputs["audio"][0][0, 0]) == pytest.approx(start / 8 * 1000 / 8000, abs=1e-6)


def test_crops_lie_left_middle_and_right() -> None:
    data = dataset([stored(1.0)], crops=3)
    assert [int(data[i].inputs["visual"][0][0, 0, 0, 0]) for i in range(3)] == [0, 2, 4]


def test_views_of_a_clip_stand_together_and_share_id_and_label() -> None:
    data = dataset([stored(1.5), stored(0.5), stored(2.0)], eval_views=2, crops=3)
    assert [(data[i].id, int(data[i].label)) for i in range(len(data))] == [
        (f"clip{n}", n % 2) for n in range(3) for _ in range(6)
    ]


def test_without_views_there_is_the_middle_one() -> None:
    data = dataset([stored(3.0)], views=False, eval_views=3, crops=5)
    assert len(data) == 1
    assert int(data[0].inputs["visual"][0][0, 0, 0, 0]) == 82


def test_permuted_modalities_never_pair_a_clip_with_a_view_of_itself() -> None:
    clips = [stored(2.0, level) for level in range(5)]
    data = dataset(clips, eval_views=2)
    pairs = PermutedModalities(data, 0)
    assert len(pairs) == 10
    partners = [int(pairs[i].inputs["audio"][0][0, 0]) for i in range(10)]
    assert partners[::2] == partners[1::2], "all views of a clip get the same partner"
    assert all(partner != i // 2 for i, partner in enumerate(partners))
    within = [float(pairs[i].inputs["audio"][0][0, 0]) % 1 for i in range(2)]
    assert within == pytest.approx([0.0, 1000 / 8000], abs=1e-6), "view by view"


def test_without_pictures_there_is_one_crop() -> None:
    clips = [stored(1.0)]
    given = inputs(visual={"frame_size": SIZE, "eval_crops": 5})
    heard = RunConfig(inputs=given, modalities=("audio",), data=DataConfig(eval_views=2))
    assert len(make_dataset(clips, heard, views=True)) == 2
