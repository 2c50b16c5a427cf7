"""Precomputed features to levels: the contract of every encoder, and vectors beside sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmvideo.encoders.features import FeatureLstm
from mmvideo.layers.pooling import POOLS
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import LEVELS, Level

WIDTH, GIVEN = 12, 5
TOLD = FeatureInput(GIVEN, 6, (10.0,) * GIVEN, (2.0,) * GIVEN)


def tokens(lengths: list[int], longest: int = 6, *, padding: float = 0.0) -> Tokens:
    values = (
        torch.randn(len(lengths), 9, GIVEN, generator=torch.Generator().manual_seed(0))[:, :longest] * 2 + 10
    )
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    times = ((torch.arange(longest) + 0.5) * 0.2).expand(len(lengths), -1)
    return Tokens(torch.where(mask[..., None], values, padding), mask, times)


def encoder(levels: Any = LEVELS, told: FeatureInput = TOLD, **changes: Any) -> FeatureLstm:
    torch.manual_seed(0)
    return FeatureLstm(FeatureLstm.Config(dropout=0.0, **changes), told, WIDTH, frozenset(levels))


@pytest.mark.parametrize("clip_pool", POOLS)
def test_shapes_masks_and_times(clip_pool: str) -> None:
    given = tokens([6, 2, 1, 0])
    out = encoder(clip_pool=clip_pool)(given)
    assert out.present.tolist() == [True, True, True, False]
    for level in (out.stem, out.trunk):
        assert level is not None
        assert level.values.shape == (4, 6, WIDTH)
        assert torch.equal(level.mask, given.mask)
        assert torch.equal(level.time, given.time)
        assert not level.values[~given.mask].any()
    assert out.clip is not None
    assert out.clip.shape == (4, WIDTH)
    assert not out.clip[3].any()


@pytest.mark.parametrize("padding", [1e6, float("nan"), float("inf")])
@pytest.mark.parametrize("training", [True, False])
def test_neither_padding_nor_other_clips_matter(training: bool, padding: float) -> None:
    made = encoder().train(training)
    together = made(tokens([6, 2, 1, 0]))
    garbage = made(tokens([6, 2, 1, 0], 9, padding=padding))
    clips = tokens([6, 2])
    alone = made(Tokens(clips.values[1:2, :2], clips.mask[1:2, :2], clips.time[1:2, :2]))
    for level in ("stem", "trunk"):
        here = getattr(together, level).values
        torch.testing.assert_close(getattr(garbage, level).values[:, :6], here, rtol=0, atol=1e-5)
        torch.testing.assert_close(getattr(alone, level).values[0], here[1, :2], rtol=0, atol=1e-5)
    torch.testing.assert_close(garbage.clip, together.clip, rtol=0, atol=1e-5)
    torch.testing.assert_close(alone.clip[0], together.clip[1], rtol=0, atol=1e-5)


def test_of_a_single_vector_the_trunk_is_the_stem() -> None:
    out = encoder()(tokens([1, 3]))
    torch.testing.assert_close(out.trunk.values[0], out.stem.values[0], rtol=0, atol=0)
    torch.testing.assert_close(out.clip[0], out.stem.values[0, 0])
    assert (out.trunk.values[1, :3] - out.stem.values[1, :3]).abs().max() > 0.1


def test_the_trunk_knows_the_order() -> None:
    made, given = encoder(), tokens([6])
    out, turned = made(given), made(given.replace_values(given.values.flip(1)))
    torch.testing.assert_close(turned.stem.values.flip(1), out.stem.values)
    assert (turned.trunk.values.flip(1) - out.trunk.values).abs().max() > 1e-3


@pytest.mark.parametrize(("longest", "levels", "built"), [
    (1, LEVELS, False), (2, LEVELS, True), (2, ("stem",), False), (2, ("clip",), True),
])  # fmt: skip
def test_no_lstm_where_nothing_needs_one(longest: int, levels: tuple[Level, ...], built: bool) -> None:
    made = encoder(levels, FeatureInput(GIVEN, longest, TOLD.mean, TOLD.std))
    assert (made.lstm is not None) == built
    out = made(tokens([1, 1], 1) if longest == 1 else tokens([6, 2]))
    assert {level for level in LEVELS if getattr(out, level) is not None} == set(levels)


def test_standardising_by_the_data_equals_standardised_data() -> None:
    raw = tokens([6, 3])
    scaled = raw.replace_values((raw.values - 10.0) / 2.0)
    plain = encoder(told=FeatureInput(GIVEN, 6, (0.0,) * GIVEN, (1.0,) * GIVEN))
    torch.testing.assert_close(encoder()(raw).clip, plain(scaled).clip)


def test_statistics_are_saved_with_the_weights() -> None:
    other = encoder(told=FeatureInput(GIVEN, 6, (0.0,) * GIVEN, (1.0,) * GIVEN))
    other.load_state_dict(encoder().state_dict())
    torch.testing.assert_close(other(tokens([4])).clip, encoder()(tokens([4])).clip, rtol=0, atol=0)


def test_every_parameter_gets_a_finite_gradient_and_absent_clips_send_no_nan() -> None:
    made = encoder()
    out = made(tokens([6, 1, 0]))
    (out.clip.square().sum() + out.stem.values.sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in made.parameters())
    made = encoder()
    out = made(tokens([0, 0]))
    (out.clip.sum() + out.trunk.values.sum()).backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())
