"""Waveform to levels: the spectrogram is librosa's, times are kept, padding leaves no trace."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from mmvideo.encoders.audio import LogMel, SpectrogramCnn
from mmvideo.modalities.audio import Sound
from mmvideo.types import Tokens
from mmvideo.vocabulary import LEVELS, Level

RATE, HOP, WIDTH = 16000, 160, 12
SMALL = SpectrogramCnn.Config(mel_bins=16, channels=(4, 8, 8), dropout=0.0)


def waveform(hops: int, seed: int = 0) -> np.ndarray:
    """A chirp in noise, (hops × HOP,) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(hops * HOP) / RATE
    return (
        0.4 * np.sin(2 * np.pi * (300 + 1500 * time) * time) + 0.1 * rng.standard_normal(len(time))
    ).astype(np.float32)


def sounds(lengths: list[int], longest: int, *, padding: float = 0.0) -> Tokens:
    values = torch.stack(
        [torch.from_numpy(waveform(80, seed)).view(80, HOP)[:longest] for seed in range(len(lengths))]
    )
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    time = ((torch.arange(longest) + 0.5) * HOP / RATE).expand(len(lengths), -1)
    return Tokens(torch.where(mask[..., None], values, padding), mask, time)


def encoder(levels: frozenset[Level] = frozenset(LEVELS)) -> SpectrogramCnn:
    torch.manual_seed(0)
    return SpectrogramCnn(SMALL, None, WIDTH, levels)


class TestLogMel:
    @pytest.mark.parametrize(
        ("rate", "hop", "bins", "n_fft"),
        [(16000, 160, 64, 512), (22050, 441, 40, 512), (44100, 512, 80, 1024)],
    )
    def test_it_is_librosas(self, rate: int, hop: int, bins: int, n_fft: int) -> None:
        """At 32 ms or the power of two below it."""
        samples = waveform(1 + 50 * hop // HOP)[: 50 * hop]
        expected = librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=n_fft, hop_length=hop, window="hann", center=True, pad_mode="constant",
            power=2.0, n_mels=bins, htk=True, norm=None,
        )[:, :50]  # fmt: skip
        found = LogMel(rate, hop, bins)(
            torch.from_numpy(samples).view(1, 50, hop), torch.ones(1, 50, dtype=torch.bool)
        )
        np.testing.assert_allclose(found[0].numpy() * 2.5, np.log(expected + 1e-6), atol=2e-3)

    def test_speech_like_levels_come_out_near_unit_scale(self) -> None:
        found = LogMel(RATE, HOP, 64)(
            torch.from_numpy(waveform(80)).view(1, 80, HOP), torch.ones(1, 80, dtype=torch.bool)
        )
        assert abs(found.mean()) < 1.5
        assert 0.3 < found.std() < 2

    def test_a_tone_is_in_its_band(self) -> None:
        tone = torch.sin(2 * torch.pi * 1000 * torch.arange(50 * HOP) / RATE).view(1, 50, HOP)
        found = LogMel(RATE, HOP, 64)(tone, torch.ones(1, 50, dtype=torch.bool))[0]
        centres = librosa.mel_frequencies(66, fmin=0, fmax=RATE / 2, htk=True)[1:-1]
        assert abs(centres[int(found[:, 25].argmax())] - 1000) < 60

    def test_a_click_is_at_its_time(self) -> None:
        click = torch.zeros(1, 50, HOP)
        click[0, 20, 0] = 1
        power = LogMel(RATE, HOP, 64)(click, torch.ones(1, 50, dtype=torch.bool))[0].sum(dim=0)
        assert int(power.argmax()) == 20

    def test_silence_is_finite(self) -> None:
        found = LogMel(RATE, HOP, 64)(torch.zeros(1, 3, HOP), torch.ones(1, 3, dtype=torch.bool))
        torch.testing.assert_close(found, torch.full((1, 64, 3), float(np.log(1e-6)) / 2.5))


def test_a_token_every_four_columns_with_the_columns_time() -> None:
    out = encoder()(sounds([80, 30, 0], 80))
    assert out.present.tolist() == [True, True, False]
    for level in (out.stem, out.trunk):
        assert level is not None
        assert level.values.shape == (3, 20, WIDTH)
        assert level.mask.sum(dim=1).tolist() == [20, 8, 0]
        torch.testing.assert_close(level.time[0], (torch.arange(20) * 4 + 0.5) * 0.01)
        assert not level.values[~level.mask].any()
    assert out.clip is not None
    assert out.clip.shape == (3, WIDTH)
    assert not out.clip[2].any()


@pytest.mark.parametrize("hops", range(1, 15))
def test_the_times_of_a_very_short_clip(hops: int) -> None:
    stem = encoder()(sounds([hops], hops)).stem
    assert stem is not None
    torch.testing.assert_close(stem.time[0], sounds([hops], hops).time[0, ::4])


@pytest.mark.parametrize("levels", [{"stem"}, {"trunk"}, {"clip"}, {"stem", "clip"}])
def test_only_the_levels_asked_for_are_built(levels: set[Level]) -> None:
    made = encoder(frozenset(levels))
    out = made(sounds([9], 9))
    assert {level for level in LEVELS if getattr(out, level) is not None} == levels
    assert (len(made.blocks) == 0) == (levels == {"stem"})
    assert (made.pool is None) == ("clip" not in levels)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("length", [1, 7, 16, 30])
def test_neither_padding_nor_other_clips_matter(length: int, training: bool) -> None:
    made = encoder().train(training)
    alone = made(sounds([length], length))
    batch = made(sounds([length, 50, 0], 60, padding=3.0))
    real = alone.stem.values.shape[1]
    assert batch.stem.mask[0].sum() == real
    for level in ("stem", "trunk"):
        padded = getattr(batch, level).values[0, :real]
        torch.testing.assert_close(padded, getattr(alone, level).values[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(batch.clip[0], alone.clip[0], rtol=0, atol=1e-4)


def test_a_change_in_sound_reaches_only_the_tokens_near_it() -> None:
    made, given = encoder(), sounds([80], 80)
    changed = given.values.clone()
    changed[0, 40] += 0.5
    before, after = made(given), made(given.replace_values(changed))
    touched = (before.stem.values != after.stem.values).any(dim=2)[0].nonzero().flatten()
    assert touched.min() >= 8
    assert touched.max() <= 12
    assert 10 in touched


def test_absent_clips_send_no_nan() -> None:
    made = encoder()
    out = made(sounds([0, 0], 5))
    assert out.clip is not None
    out.clip.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())


def test_what_it_has_to_be_given() -> None:
    config = SpectrogramCnn.Config(sample_rate=22050, hop_seconds=0.02)
    assert SpectrogramCnn.needs(config) == Sound(22050, 441)
    assert SpectrogramCnn.needs(SpectrogramCnn.Config(sample_rate=10)) == Sound(10, 1)
