"""Sound: waveforms as the store has them, cut into hops; changes in training, and noise as a corruption."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.modalities.base import ClipSource, Modality, Window
from mmvideo.modalities.corruptions.sounds import CORRUPTIONS
from mmvideo.modalities.measured import Measure, MeasuredModality
from mmvideo.schema import Finite, Fraction, NotNegative
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Sound:
    """What an encoder of sound has to be given: mono at `sample_rate` Hz, in items of `hop` samples."""

    sample_rate: int = 0
    hop: int = 0
    """0, both: what `of_model` says."""
    measure: Measure | None = None
    """What of the items is measured on the training clips, and told to the encoder."""
    unchanging: bool = False
    """A clip's sound the same in every epoch, since what was made of it is kept."""
    of_model: Callable[[], tuple[int, int]] | None = None
    """Reads rate and hop off a pretrained model's files, when clips are read: a configuration can be read
    without them."""

    def known(self) -> Sound:
        """The same with rate and hop."""
        if self.of_model is None:
            return self
        rate, hop = self.of_model()
        return replace(self, sample_rate=rate, hop=hop, of_model=None)


class Audio(MeasuredModality):
    """Waveforms as the store has them → hops of samples (N, hop), float in [-1, 1]."""

    kind: ClassVar[str] = "audio"
    default_encoder: ClassVar[str] = "spectrogram_cnn"
    corruptions = CORRUPTIONS

    class Config(Modality.Config):
        """Noise as a corruption of the data, and random changes in training, drawn from (seed, epoch,
        clip)."""

        snr_db: Finite | None = None
        """White noise added to every clip's sound, in every split, at this signal-to-noise ratio: a
        corruption of the data, the same for every run and seed. None: the sound as it is."""
        redraw_noise: bool = False
        """The noise of `snr_db` is another one in each epoch of training, so that it cannot be learnt by
        heart; in evaluation a clip keeps its own."""
        shift_seconds: NotNegative = 0.0
        """The sound is moved against the other modalities by a time between minus and plus this."""
        gain_db: NotNegative = 0.0
        """The sound is made louder by between minus and plus this."""
        noise_probability: Fraction = 0.0
        """Chance of white noise on the sound."""
        noise_snr_db: tuple[Finite, Finite] = (0.0, 20.0)
        """Range of the signal-to-noise ratio at which that noise is added."""

        @property
        def changes_sound(self) -> bool:
            """Whether a window's sound is changed at all."""
            return bool(self.shift_seconds or self.gain_db or self.noise_probability)

        @property
        def changing(self) -> list[str]:
            """The options for which a clip's sound is another one in each epoch."""
            names = ["shift_seconds", "gain_db", "noise_probability"]
            if self.snr_db is not None:
                names.append("redraw_noise")
            return [name for name in names if getattr(self, name)]

        @model_validator(mode="after")
        def _range_in_order(self) -> Self:
            if self.noise_snr_db[0] > self.noise_snr_db[1]:
                raise ValueError(f"noise_snr_db is a range, lowest first; got {self.noise_snr_db}")
            return self

    def __init__(self, config: Config, name: str, needs: Sound, frame_rate: float) -> None:
        super().__init__(config, name, needs.known(), frame_rate)

    @classmethod
    def check(cls, config: Config, needs: Sound) -> None:
        if needs.unchanging and config.changing:
            raise ValueError(
                "the encoder's `cached` keeps what it makes of each clip's sound, which would be wrong with "
                f"{', '.join(config.changing)}; switch off one or the other"
            )

    @classmethod
    def store_settings(cls, config: Config, needs: Sound) -> dict[str, Any]:
        return {"sample_rate": needs.known().sample_rate}

    def where(self, source: ClipSource) -> frozenset[str]:
        return frozenset(name for name, had in source.stored.items() if "audio" in had)

    def longest(self, seconds: float) -> int | None:
        if self.encoded is not None:
            return None
        return math.ceil(round(seconds * self.needs.sample_rate) / self.needs.hop)

    def varies(self) -> bool:
        return bool(self.config.changing)

    def read(self, clip: Clip, stored: OpenClip, window: Window, *, training: bool) -> tuple[Tensor, Tensor]:
        rate, hop = self.needs.sample_rate, self.needs.hop
        first, count = (round(t * rate) for t in (window.start, window.length))
        redrawn = training and self.config.redraw_noise
        whole = self.samples(clip, stored, *((window.draw,) if redrawn else ()))
        samples = whole[first : first + count]
        if training:
            samples = augmented(whole, first, len(samples), self.config, rate, window.draw)
        hops = -(-len(samples) // hop)
        padded = np.zeros(hops * hop, np.float32)
        padded[: len(samples)] = samples
        times = (torch.arange(hops) + 0.5) * hop / rate
        return torch.from_numpy(padded).view(hops, hop), times

    def heard(self, clip: Clip, stored: OpenClip) -> Samples:
        """The whole clip's sound (S,) as a model hears it that encodes it ahead."""
        if self.view is None:
            return self.samples(clip, stored)
        draw = self.view_draw(clip)
        whole = self.samples(clip, stored, *((draw,) if self.config.redraw_noise else ()))
        return augmented(whole, 0, len(whole), self.config, self.needs.sample_rate, draw)

    def samples(self, clip: Clip, stored: OpenClip, *draw: int) -> Samples:
        """The whole clip's sound (S,), corrupted as the options say; `draw` gives it another noise."""
        found = corrupt(stored.clip.samples, self.config.snr_db, clip.id, *draw)
        if self.damage is None or not len(found):
            return found
        damaged: Samples = self.damage.apply(clip, found, self.needs.sample_rate)
        return damaged.astype(np.float32)

    @property
    def reading(self) -> dict[str, Any]:
        return {} if self.config.snr_db is None else {"snr_db": self.config.snr_db}

    def beside(self, clip: Clip) -> str | None:
        return None if self.config.snr_db is None else clip.id  # which decides its noise

    def inside(
        self, times: NDArray[np.float64], stored: OpenClip, window: Window, *, training: bool
    ) -> NDArray[np.intp]:
        """The columns whose centre the window shows; where it shows a piece between two, the nearest."""
        found = super().inside(times, stored, window, training=training)
        if len(times) and not len(found) and window.start < len(stored.clip.samples) / self.needs.sample_rate:
            return np.array([np.abs(times - window.start).argmin()])
        return found


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


def corrupt(samples: Samples, snr_db: Finite | None, *key: str | int) -> Samples:
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


def augmented(
    samples: Samples, first: int, count: int, config: Audio.Config, sample_rate: int, seed: int
) -> Samples:
    """The window [first, first + count) of a clip's samples, shifted, scaled and with noise as the seed
    says."""
    if not config.changes_sound:
        return cut(samples, first, count)
    draw = np.random.default_rng(derive_seed(seed, "audio"))
    shift = draw.uniform(-config.shift_seconds, config.shift_seconds)
    gain = 10 ** (draw.uniform(-config.gain_db, config.gain_db) / 20)
    noisy, snr_db = draw.random() < config.noise_probability, draw.uniform(*config.noise_snr_db)
    window = cut(samples, first + round(shift * sample_rate), count) * np.float32(gain)
    return add_noise(window, snr_db, derive_seed(seed, "noise")) if noisy else window
