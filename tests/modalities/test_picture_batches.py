"""Pictures changed a batch at once are those changed clip by clip, but for rounding."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d

from mmvideo.modalities.picture_batches import PictureChanges, Rows
from mmvideo.modalities.picture_changes import Framing, PictureConfig, draw_change
from mmvideo.modalities.pictures import ClipTransform

SIZES = [(25, 47), (31, 33), (40, 27)]
COLOURS = ("brightness", "contrast", "saturation", "hue")


def clips(seed: int) -> list[Tensor]:
    """Frames (2, 3, h, w) of several sizes, as smooth as pictures are."""
    draw = torch.Generator().manual_seed(seed)
    noise = [torch.rand(2, 3, *size, generator=draw) for size in SIZES]
    return [(avg_pool2d(n, 5, 1, 2, count_include_pad=False) * 400 - 70).clamp(0, 255).byte() for n in noise]


def both_ways(config: PictureConfig, framing: Framing, seed: int) -> tuple[Tensor, Tensor]:
    """(B, T, 3, S, S) clip by clip, and at once."""
    transform = ClipTransform(config, framing, training=True)
    one_by_one = [transform(frames, seed + i) for i, frames in enumerate(clips(seed))]
    fitting = [transform.fitting(frames) for frames in clips(seed)]
    batch = torch.zeros(len(fitting), 2, 3, *(max(f.shape[axis] for f in fitting) for axis in (2, 3))).byte()
    for row, frames in zip(batch, fitting, strict=True):
        row[:, :, : frames.shape[2], : frames.shape[3]] = frames
    first, *others = (
        PictureChanges.of(transform.draw(frames, seed + i), config, framing)
        for i, frames in enumerate(fitting)
    )
    return torch.stack(one_by_one), first.together(others).apply(batch)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    random_crop=st.booleans(),
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    degrees=st.sampled_from([0.0, 10.0, 180.0]),
    smallest=st.sampled_from([1.0, 0.2]),
    whole=st.booleans(),
    resize=st.sampled_from([None, 28]),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    recoloured=st.lists(st.sampled_from(COLOURS), unique=True),
)
def test_a_batch_is_its_clips(
    seed: int,
    random_crop: bool,
    flip: float,
    degrees: float,
    smallest: float,
    whole: bool,
    resize: int | None,
    interpolation: str,
    recoloured: list[str],
) -> None:
    config = PictureConfig(
        random_crop=random_crop,
        flip_probability=flip,
        rotate_degrees=degrees,
        smallest_crop=smallest,
        **dict.fromkeys(recoloured, 0.3),
    )
    expected, found = both_ways(config, Framing(16, whole, resize, interpolation), seed)
    assert found.shape == expected.shape
    assert found.dtype == torch.uint8
    off = (found.int() - expected.int()).abs()
    resized = smallest < 1 or whole
    if not resized and not recoloured:
        # bits may differ where a turned pixel lies in the middle between two levels
        assert off.max() <= (1 if degrees else 0)
        assert (off > 0).float().mean() < 0.01
    else:
        # a level lost to rounding becomes up to 1.3 ** 3 by colours, and the hue's circle has corners
        assert off.max() <= (6 if recoloured else 2)
        assert (off > 2).float().mean() < 0.01
        assert off.float().mean() < 0.5


def test_it_can_tell_pictures_apart() -> None:
    """The bounds above are no comfort if other draws were within them."""
    config, framing = PictureConfig(rotate_degrees=10.0, smallest_crop=0.2, contrast=0.3), Framing(16)
    expected, _ = both_ways(config, framing, 0)
    _, other = both_ways(config, framing, 1)
    assert (expected.int() - other.int()).abs().float().mean() > 20


def test_a_clips_row_is_its_change() -> None:
    config, framing = PictureConfig(rotate_degrees=10.0, hue=0.5), Framing(16)
    change = draw_change(config, framing, 20, 24, 3)
    row = Rows(*PictureChanges.of(change, config, framing).rows[0])
    assert [field.name for field in fields(change)] == list(Rows._fields)
    assert [float(value) for value in row] == pytest.approx(list(map(float, vars(change).values())))


def test_absent_clips_and_padding_stay_black() -> None:
    config = PictureConfig(rotate_degrees=10.0, smallest_crop=0.2, contrast=0.3, brightness=0.5, hue=0.5)
    change = draw_change(config, Framing(16), 20, 24, 3)
    changes = [PictureChanges.of(given, config, Framing(16)) for given in (None, change)]
    out = changes[0].together(changes[1:]).apply(torch.zeros(2, 4, 3, 20, 24, dtype=torch.uint8))
    assert not out.any()


@pytest.mark.parametrize("whole", [True, False])
def test_squares_that_are_changed_already_stay_as_they_are(whole: bool) -> None:
    config = PictureConfig(
        rotate_degrees=10.0, smallest_crop=0.2, flip_probability=0.5, **dict.fromkeys(COLOURS, 0.3)
    )
    done = PictureChanges.of(None, config, Framing(16, whole))
    other = PictureChanges.of(draw_change(config, Framing(16, whole), 20, 24, 3), config, Framing(16, whole))
    frames = torch.zeros(2, 3, 3, 20, 24, dtype=torch.uint8)
    frames[0, :, :, :16, :16] = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    assert torch.equal(done.together([other]).apply(frames)[0], frames[0, :, :, :16, :16])


def test_channels_lie_last_as_the_model_computes() -> None:
    _, out = both_ways(PictureConfig(rotate_degrees=10.0), Framing(16), 0)
    assert out.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_nothing_waits_for_the_device() -> None:
    """On the meta device a value that is looked at is an error, as it would be a wait on a GPU."""
    for config in (
        PictureConfig(),
        PictureConfig(rotate_degrees=9.0, smallest_crop=0.2, contrast=0.3, hue=0.3),
    ):
        change = draw_change(config, Framing(16), 20, 24, 3)
        changes = PictureChanges.of(change, config, Framing(16)).to("meta")
        assert changes.apply(torch.zeros(1, 2, 3, 20, 24, dtype=torch.uint8, device="meta")).is_meta
