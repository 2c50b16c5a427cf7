"""Augmentation: one draw for all frames of a clip, replayable, and none in evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mmvideo.modalities.picture_changes import Framing, PictureConfig
from mmvideo.modalities.pictures import ClipTransform, rotate

EVERYTHING = {"flip_probability": 0.5, "rotate_degrees": 20.0}


def transform(*, training: bool = True, crop: int = 8, **options: Any) -> ClipTransform:
    return ClipTransform(PictureConfig(**options), Framing(crop), training=training)


def numbered(height: int = 12, width: int = 16, frames: int = 3) -> Tensor:
    """Frames (T, 3, H, W), all the same, in which every pixel has a level of its own."""
    picture = torch.arange(height * width, dtype=torch.uint8).view(1, 1, height, width)
    return picture.expand(frames, 3, height, width).contiguous()


def test_all_frames_get_one_draw() -> None:
    for seed in range(20):
        out = transform(**EVERYTHING)(numbered(), seed)
        assert out.shape == (3, 3, 8, 8)
        assert out.dtype == torch.uint8
        assert (out == out[0]).all()


def test_the_seed_decides_the_draw() -> None:
    augment = transform(**EVERYTHING)
    assert all(torch.equal(augment(numbered(), seed), augment(numbered(), seed)) for seed in range(10))
    assert len({augment(numbered(), seed).numpy().tobytes() for seed in range(30)}) > 25


def test_evaluation_crops_the_centre_whatever_is_configured() -> None:
    out = transform(training=False, **EVERYTHING)(numbered(), 3)
    assert torch.equal(out, numbered()[:, :, 2:10, 4:12])


def test_training_may_crop_the_centre_too() -> None:
    out = transform(random_crop=False)(numbered(), 3)
    assert torch.equal(out, numbered()[:, :, 2:10, 4:12])


def test_random_crops_reach_every_place() -> None:
    augment = transform()
    corners = {int(augment(numbered(), seed)[0, 0, 0, 0]) for seed in range(600)}
    assert corners == {16 * top + left for top in range(5) for left in range(9)}


@pytest.mark.parametrize(("probability", "flipped"), [(1.0, 200), (0.0, 0), (0.5, 100)])
def test_flips(probability: float, flipped: int) -> None:
    augment = transform(flip_probability=probability, random_crop=False)
    centre = numbered()[:, :, 2:10, 4:12]
    outs = [augment(numbered(), seed) for seed in range(200)]
    assert all(torch.equal(out, centre) or torch.equal(out, centre.flip(3)) for out in outs)
    count = sum(torch.equal(out, centre.flip(3)) for out in outs)
    assert abs(count - flipped) <= (0 if probability in (0, 1) else 30)


@pytest.mark.parametrize("degrees", [-123.4, -5.0, 0.0, 0.01, 20.0, 179.9])
@pytest.mark.parametrize("shape", [(12, 16), (9, 9)])
def test_a_part_of_the_rotated_frames_is_that_part_of_torchvisions(
    degrees: float, shape: tuple[int, int]
) -> None:
    frames = torch.randint(0, 256, (3, 3, *shape), dtype=torch.uint8, generator=torch.Generator())
    whole = F.rotate(frames, degrees, interpolation=InterpolationMode.BILINEAR)
    rows, columns = slice(2, 8), slice(1, 9)
    assert torch.equal(rotate(frames, degrees), whole)
    assert torch.equal(rotate(frames, degrees, rows, columns), whole[:, :, rows, columns])


def test_rotation_turns_about_the_centre_within_its_bounds() -> None:
    """A bright right half stays on the right at up to 30 degrees, and its edge tilts both ways."""
    frames = torch.zeros(1, 3, 12, 12, dtype=torch.uint8)
    frames[..., 6:] = 200
    augment = transform(rotate_degrees=30.0, random_crop=False)
    tilts = []
    for seed in range(40):
        out = augment(frames, seed)[0, 0].float()
        assert out[2:6, 7:].mean() > out[2:6, :1].mean() + 100
        tilts.append(float(out[0, 2:6].sum() - out[7, 2:6].sum()))
    assert min(tilts) < -50
    assert max(tilts) > 50


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(5, 7), (20, 4), (8, 8)])
def test_frames_smaller_than_the_crop_are_enlarged(size: tuple[int, int], training: bool) -> None:
    frames = torch.full((2, 3, *size), 77, dtype=torch.uint8)
    out = transform(training=training)(frames, 0)
    assert out.shape == (2, 3, 8, 8)
    assert (out == 77).all()  # enlarged, not filled up with black


def test_recolouring_is_one_draw_for_all_frames_and_bounded() -> None:
    augment = transform(random_crop=False, brightness=0.25)
    frames = torch.full((3, 3, 12, 16), 100, dtype=torch.uint8)
    levels = []
    for seed in range(60):
        out = augment(frames, seed)
        assert (out == out[0, 0, 0, 0]).all()
        levels.append(int(out[0, 0, 0, 0]))
    assert 75 <= min(levels) < 82
    assert 118 < max(levels) <= 125


@pytest.mark.parametrize("kind", ["contrast", "saturation", "hue"])
def test_each_kind_of_recolouring_changes_the_picture_alike_in_all_frames(kind: str) -> None:
    frames = torch.arange(3 * 12 * 16, dtype=torch.int32).view(1, 3, 12, 16).mul(37).remainder(256).byte()
    frames = frames.expand(4, 3, 12, 16)
    plain = transform(random_crop=False)(frames, 1)
    out = transform(random_crop=False, **{kind: 0.4})(frames, 1)
    assert not torch.equal(out, plain)
    assert (out == out[0]).all()


class TestResizedCrop:
    FRAMES = torch.arange(24, dtype=torch.uint8).mul(10).view(1, 1, 1, 24).expand(2, 3, 24, 24).contiguous()

    def spans(self, smallest: float, **options: Any) -> list[float]:
        """The share of the width that crops of a left-to-right ramp cover, from their range of levels."""
        augment = transform(smallest_crop=smallest, **options)
        outs = [augment(self.FRAMES, seed) for seed in range(80)]
        assert all(out.shape == (2, 3, 8, 8) and (out == out[0]).all() for out in outs)
        return [float(out[0, 0, 0].max() - out[0, 0, 0].min()) / 10 / 24 for out in outs]

    def test_a_small_share_gives_both_small_and_large_parts(self) -> None:
        spans = self.spans(0.1)
        assert min(spans) < 0.4
        assert max(spans) > 0.75

    def test_a_large_share_gives_large_parts_only(self) -> None:
        assert min(self.spans(0.9)) > 0.65

    def test_without_random_places_it_is_central(self) -> None:
        augment = transform(random_crop=False, smallest_crop=0.2)
        for seed in range(30):
            out = augment(self.FRAMES, seed)[0, 0, 0].float()
            assert float(out.mean()) == pytest.approx(115, abs=8)


def test_evaluation_crops_where_it_is_told() -> None:
    at = transform(training=False)
    corners = {
        place: int(at(numbered(), 0, place)[0, 0, 0, 0]) for place in [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    }
    assert corners == {(0.0, 0.0): 0, (0.0, 1.0): 8, (1.0, 1.0): 4 * 16 + 8}


def test_what_changes_a_frame_is_listed() -> None:
    assert PictureConfig().changing() == ["random_crop"]
    assert PictureConfig(random_crop=False).changing() == []
    changing = PictureConfig(hue=0.1, smallest_crop=0.5, random_crop=False).changing()
    assert changing == ["smallest_crop", "hue"]
