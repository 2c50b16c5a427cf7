"""Noise of a known strength, changes that can be replayed, and none in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clip_datasets import inputs, make_dataset
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.components import EncoderChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.dataset import ClipDataset
from mmvideo.modalities.audio import Audio, add_noise, augmented, corrupt, cut
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.subtitles import Word

RATE = 1000
TONE = np.sin(np.arange(20_000) / 7).astype(np.float32)


def snr_db(clean: np.ndarray, noisy: np.ndarray) -> float:
    noise = (noisy - clean).astype(np.float64)
    return float(10 * np.log10(np.mean(clean.astype(np.float64) ** 2) / np.mean(noise**2)))


class TestNoise:
    @pytest.mark.parametrize("level", [-10.0, 0.0, 10.0, 30.0])
    @pytest.mark.parametrize("scale", [0.01, 1.0])
    def test_has_the_asked_ratio_to_the_signal(self, level: float, scale: float) -> None:
        noisy = add_noise(TONE * np.float32(scale), level, seed=3)
        assert noisy.dtype == np.float32
        assert snr_db(TONE * scale, noisy) == pytest.approx(level, abs=0.15)

    def test_is_white(self) -> None:
        noise = add_noise(TONE, 0.0, seed=1) - TONE
        bands = np.square(np.abs(np.fft.rfft(noise)))[1:].reshape(10, -1).mean(axis=1)
        assert bands.max() / bands.min() < 1.3
        assert abs(np.mean(noise)) < 0.02

    def test_silence_and_nothing_stay_as_they_are(self) -> None:
        assert not add_noise(np.zeros(50, np.float32), 0.0, 1).any()
        assert len(add_noise(np.zeros(0, np.float32), 0.0, 1)) == 0

    def test_as_a_corruption_it_belongs_to_the_clip(self) -> None:
        assert corrupt(TONE, None, "a") is TONE
        assert np.array_equal(corrupt(TONE, 5.0, "a"), corrupt(TONE, 5.0, "a"))
        assert not np.array_equal(corrupt(TONE, 5.0, "a"), corrupt(TONE, 5.0, "b"))


@given(st.integers(0, 30), st.integers(-40, 40), st.integers(0, 40))
def test_cut_reads_silence_outside(length: int, first: int, count: int) -> None:
    samples = np.arange(1, length + 1, dtype=np.float32)
    expected = [samples[i] if 0 <= i < length else 0.0 for i in range(first, first + count)]
    assert cut(samples, first, count).tolist() == expected


class TestAugmented:
    def augment(self, **options: Any) -> Any:
        config = Audio.Config(**options)
        return lambda samples, first, count, seed: augmented(samples, first, count, config, RATE, seed)

    def test_without_options_it_is_the_window(self) -> None:
        assert np.array_equal(self.augment()(TONE, 300, 1000, 5), TONE[300:1300])

    def test_shifts_both_ways_within_the_bound(self) -> None:
        ramp = np.arange(20_000, dtype=np.float32)
        shifts = {int(self.augment(shift_seconds=0.02)(ramp, 500, 100, s)[0]) - 500 for s in range(400)}
        assert min(shifts) < -15
        assert max(shifts) > 15
        assert all(-20 <= shift <= 20 for shift in shifts)

    def test_gain_is_within_the_bound(self) -> None:
        gains = [
            20 * np.log10(np.abs(self.augment(gain_db=6.0)(TONE, 0, 1000, s)).max() / TONE.max())
            for s in range(200)
        ]
        assert -6 <= min(gains) < -5
        assert 5 < max(gains) <= 6.01

    def test_noise_comes_as_often_and_as_strong_as_asked(self) -> None:
        augment = self.augment(noise_probability=0.5, noise_snr_db=(5.0, 15.0))
        outs = [augment(TONE, 0, 5000, s) for s in range(200)]
        levels = [snr_db(TONE[:5000], out) for out in outs if not np.array_equal(out, TONE[:5000])]
        assert 70 < len(levels) < 130
        assert 4.7 < min(levels) < 6.5
        assert 13.5 < max(levels) < 15.3

    def test_the_seed_decides(self) -> None:
        augment = self.augment(shift_seconds=0.1, gain_db=6.0, noise_probability=1.0)
        assert np.array_equal(augment(TONE, 0, 500, 1), augment(TONE, 0, 500, 1))
        assert len({augment(TONE, 0, 500, s).tobytes() for s in range(20)}) == 20

    def test_a_range_the_wrong_way_round_is_refused(self) -> None:
        with pytest.raises(ValueError, match="lowest first"):
            Audio.Config(noise_snr_db=(20.0, 0.0))


def dataset(training: bool, seed: int = 0, epoch: int = 0, **options: dict[str, Any]) -> ClipDataset:
    words = tuple(Word(f"w{i}", i / 40, (i + 1) / 40) for i in range(40))
    frames = np.random.default_rng(0).integers(0, 255, (8, 20, 20, 3)).astype(np.uint8)
    stored = StoredClip(frames, (np.arange(8) + 0.5) / 8, TONE[:1000], words)
    config = RunConfig(inputs=inputs(**options), seed=seed)
    return make_dataset([stored], config, training=training, epoch=epoch)


EVERYTHING: dict[str, dict[str, Any]] = {
    "visual": {"smallest_crop": 0.3, "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.2},
    "audio": {"shift_seconds": 0.2, "gain_db": 6.0, "noise_probability": 0.5},
    "text": {"word_dropout": 0.3},
}


def contents(data: ClipDataset) -> dict[str, bytes]:
    return {name: values.numpy().tobytes() for name, (values, _) in data[0].inputs.items()}


class TestInTheDataset:
    def test_a_rerun_sees_the_same_and_another_epoch_or_seed_something_else(self) -> None:
        first = contents(dataset(True, **EVERYTHING))
        assert contents(dataset(True, **EVERYTHING)) == first
        for other in (dataset(True, 1, **EVERYTHING), dataset(True, 0, 1, **EVERYTHING)):
            changed = contents(other)
            assert all(changed[name] != first[name] for name in first)

    def test_the_same_dataset_draws_anew_in_each_epoch_and_the_same_when_it_comes_back(self) -> None:
        data = dataset(True, **EVERYTHING)
        found = []
        for epoch in (1, 2, 1):
            data.epoch = epoch
            found.append(contents(data))
        assert found[0] == found[2]
        assert all(found[0][name] != found[1][name] for name in found[0])

    def test_evaluation_is_not_augmented(self) -> None:
        assert contents(dataset(False, **EVERYTHING)) == contents(dataset(False))

    def test_corruption_is_the_same_in_training_and_evaluation_for_every_seed(self) -> None:
        clean = contents(dataset(False))
        noisy = contents(dataset(False, audio={"snr_db": 0.0}))
        assert noisy["audio"] != clean["audio"]
        assert (noisy["visual"], noisy["text"]) == (clean["visual"], clean["text"])
        for data in (dataset(True, 3, audio={"snr_db": 0.0}), dataset(True, 4, 2, audio={"snr_db": 0.0})):
            assert contents(data)["audio"] == noisy["audio"]

    def test_redrawn_noise_is_new_in_each_epoch_of_training_and_the_clips_own_in_evaluation(self) -> None:
        redraw = {"redraw_noise": True, "snr_db": 0.0}
        kept = contents(dataset(False, audio={"snr_db": 0.0}))["audio"]
        assert contents(dataset(False, audio=redraw))["audio"] == kept
        epochs = [contents(dataset(True, 0, e, audio=redraw))["audio"] for e in (1, 2, 1)]
        assert epochs[0] == epochs[2]
        assert len({kept, *epochs}) == 3
        clean = contents(dataset(True, 0, 1))
        assert contents(dataset(True, 0, 1, audio={"redraw_noise": True})) == clean

    @pytest.mark.parametrize(
        ("rate", "hop_seconds", "hop"), [(16000, 0.01, 160), (22050, 0.02, 441), (10, 0.01, 1)]
    )
    def test_an_encoder_says_how_long_a_hop_is(self, rate: int, hop_seconds: float, hop: int) -> None:
        encoder = EncoderChoice.of("spectrogram_cnn", sample_rate=rate, hop_seconds=hop_seconds)
        config = RunConfig(inputs={"audio": Input.of("audio", encoder)})
        sound, times = make_dataset([StoredClip(samples=np.ones(10 * hop, np.float32))], config)[0].inputs[
            "audio"
        ]
        assert sound.shape == (10, hop)
        torch.testing.assert_close(times, (torch.arange(10) + 0.5) * hop / rate)
