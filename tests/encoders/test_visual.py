"""Frames to levels: pixel ranges, masks, order, and no clip that depends on another."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from mmvideo.encoders.visual import CnnLstm, SmallCnn
from mmvideo.layers.pooling import POOLS
from mmvideo.modalities.visual import Pictures
from mmvideo.types import Tokens
from mmvideo.vocabulary import LEVELS, Level

SIZE, WIDTH = 16, 12
SMALL = CnnLstm.Config(channels=(4, 8), dropout=0.0)


def frames(lengths: list[int], longest: int = 5, *, padding: int = 0) -> Tokens:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (len(lengths), 8, 3, SIZE, SIZE), generator=generator).byte()[:, :longest]
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    values = torch.where(mask[..., None, None, None], values, padding).byte()
    return Tokens(values, mask, ((torch.arange(longest) + 0.5) / 8).expand(len(lengths), -1))


def encoder(config: CnnLstm.Config = SMALL, levels: frozenset[Level] = frozenset(LEVELS)) -> CnnLstm:
    torch.manual_seed(0)
    return CnnLstm(config, None, WIDTH, levels)


class Recorder(nn.Module):
    """Stands in for the CNN and keeps what it was given."""

    def forward(self, images: Tensor) -> Tensor:
        self.given = images
        return torch.zeros(len(images), SmallCnn.features((4, 8)))


@pytest.mark.parametrize(("name", "black", "white"), [
    ("unit", (0, 0, 0), (1, 1, 1)),
    ("symmetric", (-1, -1, -1), (1, 1, 1)),
    (
        "imagenet",
        (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
        (0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225),
    ),
])  # fmt: skip
def test_pixel_ranges(
    name: Literal["unit", "symmetric", "imagenet"], black: tuple[float, ...], white: tuple[float, ...]
) -> None:
    encoder = CnnLstm(SMALL.model_copy(update={"normalization": name}), None, WIDTH, {"stem"})
    encoder.cnn = recorder = Recorder()
    values = torch.zeros(1, 2, 3, SIZE, SIZE, dtype=torch.uint8)
    values[0, 1] = 255
    encoder(Tokens(values, torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2)))
    for image, expected in zip(recorder.given, (black, white), strict=True):
        torch.testing.assert_close(image, torch.tensor(expected).view(3, 1, 1).expand(3, SIZE, SIZE).float())


@pytest.mark.parametrize("clip_pool", POOLS)
def test_shapes_masks_and_times(clip_pool: str) -> None:
    given = frames([5, 2, 0])
    out = encoder(SMALL.model_copy(update={"clip_pool": clip_pool}))(given)
    assert out.present.tolist() == [True, True, False]
    for level in (out.stem, out.trunk):
        assert level is not None
        assert level.values.shape == (3, 5, WIDTH)
        assert torch.equal(level.mask, given.mask)
        assert torch.equal(level.time, given.time)
        assert not level.values[~given.mask].any()
    assert out.clip is not None
    assert out.clip.shape == (3, WIDTH)
    assert not out.clip[2].any()


@pytest.mark.parametrize("levels", [{"stem"}, {"trunk"}, {"clip"}, {"stem", "clip"}])
def test_only_the_levels_asked_for_are_built(levels: set[Level]) -> None:
    made = encoder(levels=frozenset(levels))
    out = made(frames([3]))
    assert {level for level in LEVELS if getattr(out, level) is not None} == levels
    assert (made.lstm is None) == (levels == {"stem"})
    assert (made.pool is None) == ("clip" not in levels)


@pytest.mark.parametrize("training", [True, False])
def test_neither_padding_nor_other_clips_matter(training: bool) -> None:
    made = encoder().train(training)
    together = made(frames([5, 2, 0], 5))
    garbage = made(frames([5, 2, 0], 8, padding=200))
    clips = frames([5, 2, 0])
    alone = made(Tokens(clips.values[1:2, :2], clips.mask[1:2, :2], clips.time[1:2, :2]))
    for level in ("stem", "trunk"):
        here = getattr(together, level).values
        torch.testing.assert_close(getattr(garbage, level).values[:, :5], here, rtol=0, atol=1e-5)
        torch.testing.assert_close(getattr(alone, level).values[0], here[1, :2], rtol=0, atol=1e-5)
    torch.testing.assert_close(garbage.clip, together.clip, rtol=0, atol=1e-5)
    torch.testing.assert_close(alone.clip[0], together.clip[1], rtol=0, atol=1e-5)


def test_the_stem_sees_frames_and_the_trunk_their_order() -> None:
    made, given = encoder(), frames([5])
    turned = given.replace_values(given.values.flip(1))
    forward, backward = made(given), made(turned)
    torch.testing.assert_close(backward.stem.values.flip(1), forward.stem.values, rtol=0, atol=1e-5)
    assert (backward.trunk.values.flip(1) - forward.trunk.values).abs().max() > 0.05
    assert (backward.clip - forward.clip).abs().max() > 1e-3


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("side", [16, 30, 56])
def test_the_small_cnn_gives_its_features_at_any_size(pool: Literal["max", "average"], side: int) -> None:
    images = torch.randn(2, 3, side, side + 4)
    assert SmallCnn((4, 8, 6), pool)(images).shape == (2, SmallCnn.features((4, 8, 6))) == (2, 6 * 25)


def test_the_small_cnn_keeps_where_something_is() -> None:
    """A bright spot top left or bottom right: other cells of the 5×5 grid react."""
    torch.manual_seed(0)
    cnn = SmallCnn((4, 8), "max")
    images = torch.zeros(3, 3, 40, 40)
    images[1, :, 2:8, 2:8] = 1
    images[2, :, 32:38, 32:38] = 1
    grid = cnn(images).view(3, 8, 5, 5)
    corner, opposite = ((grid[i] - grid[i].median()).abs().sum(dim=0) for i in (1, 2))
    assert corner.argmax() in (0, 1, 5, 6)
    assert opposite.argmax() in (18, 19, 23, 24)


def test_absent_clips_send_no_nan() -> None:
    made = encoder()
    out = made(frames([0, 0]))
    assert out.clip is not None
    (out.clip.sum() + out.trunk.values.sum()).backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())


def test_what_it_has_to_be_given() -> None:
    assert CnnLstm.needs(CnnLstm.Config(picture_size=40)) == Pictures(40, unchanging=False)
    frozen = CnnLstm.Config(picture_size=40, frozen=True, cached=True)
    assert CnnLstm.needs(frozen) == Pictures(40, unchanging=True)


def test_only_a_frozen_backbones_features_are_cached() -> None:
    with pytest.raises(ValueError, match="cached is for a backbone that does not change; set frozen too"):
        CnnLstm.Config(cached=True)


def test_features_that_were_made_of_frames_before_stand_in_for_them() -> None:
    made, given = encoder().eval(), frames([5, 2])
    with torch.no_grad():
        before = made.frame_features(given.values.flatten(0, 1)).unflatten(0, (2, 5))
    torch.testing.assert_close(made(given.replace_values(before)).clip, made(given).clip, rtol=0, atol=1e-5)
