"""Random changes to sound and words in training, and noise as a corruption of the data itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmvideo.config import AugmentConfig
from mmvideo.seeding import derive_seed
from mmvideo.store.subtitles import Word

Samples = NDArray[np.float32]


def add_noise(samples: Samples, snr_db: float, seed: int) -> Samples:
    """White Gaussian noise on top, its power 10^(-snr_db / 10) of the samples' mean power.

    Digital silence has no signal for the noise to be measured against, and stays as it is.

    Args:
        samples: (S,), any scale.
        seed: the same seed and samples give the same noise.
    """
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    noise = np.random.default_rng(seed).standard_normal(len(samples), np.float32)
    return samples + noise * np.float32(np.sqrt(power * 10 ** (-snr_db / 10)))


def corrupt(samples: Samples, snr_db: float | None, *key: str | int) -> Samples:
    """A whole clip's sound with noise that the key decides: the clip's id alone, where it is to have the same
    noise in every run, split, epoch and seed."""
    return samples if snr_db is None else add_noise(samples, snr_db, derive_seed("audio noise", *key))


def cut(samples: Samples, first: int, count: int) -> Samples:
    """`count` samples from `first` on, which may be negative; silence where there are none."""
    inside = samples[max(first, 0) : max(first + count, 0)]
    if len(inside) == count:
        return inside
    before = min(max(-first, 0), count)
    return np.pad(inside, (before, count - before - len(inside)))


class AudioAugment:
    """Time shift, gain and noise on the samples of a window."""

    def __init__(self, config: AugmentConfig, sample_rate: int) -> None:
        self.config, self.sample_rate = config, sample_rate

    def __call__(self, samples: Samples, first: int, count: int, seed: int) -> Samples:
        """The window [first, first + count) of the clip's samples, changed as the seed says. (count,)."""
        if not self.config.changes_sound:
            return cut(samples, first, count)
        config, draw = self.config, np.random.default_rng(derive_seed(seed, "audio"))
        shift = draw.uniform(-config.shift_seconds, config.shift_seconds)
        gain = 10 ** (draw.uniform(-config.gain_db, config.gain_db) / 20)
        noisy, snr_db = draw.random() < config.noise_probability, draw.uniform(*config.noise_snr_db)
        window = cut(samples, first + round(shift * self.sample_rate), count) * np.float32(gain)
        return add_noise(window, snr_db, derive_seed(seed, "noise")) if noisy else window


def drop_words(words: Sequence[Word], probability: float, seed: int) -> list[Word]:
    """Each word is left out with the given probability; if that would leave none, one stays."""
    if not probability or not words:
        return list(words)
    chances = np.random.default_rng(derive_seed(seed, "words")).random(len(words))
    kept = chances >= probability
    kept[chances.argmax()] = True
    return [word for word, keep in zip(words, kept, strict=True) if keep]
