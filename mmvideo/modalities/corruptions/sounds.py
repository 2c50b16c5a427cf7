"""Damage to a whole clip's sound, (S,) in and out."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from mmvideo.modalities.corruptions import Corruption

Samples = Float[ndarray, " S"]
PACKET = 0.02
"""Seconds of sound that are lost together."""
STEEPNESS = 8
"""Of the low-pass filter's gain, 1 / (1 + (f / cutoff)^8): as a Butterworth filter's power, without delay."""


def white_noise(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """White noise at a signal-to-noise ratio of `level` dB. Digital silence stays as it is."""
    return samples + _at(level, draw.standard_normal(len(samples)), samples)


def shaped_noise(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """Noise with the clip's own long-term spectrum, as of many voices at once, at `level` dB.

    Random phases take the time out of the sound (Schroeder 1970). It masks better than white noise does.
    """
    spectrum = np.abs(np.fft.rfft(samples))
    phases = np.exp(2j * np.pi * draw.random(len(spectrum)))
    return samples + _at(level, np.fft.irfft(spectrum * phases, len(samples)), samples)


def clipping(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """Cut off at `level` of the peak."""
    peak = level * np.abs(samples).max()
    return np.clip(samples, -peak, peak)


def low_pass(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """What lies above `level` of the highest frequency there is, is filtered out."""
    spectrum = np.fft.rfft(samples)
    share = np.linspace(0, 1, len(spectrum)) / level
    return np.fft.irfft(spectrum / (1 + share**STEEPNESS), len(samples))


def dropouts(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """A share `level` of the packets of 20 ms is silent; those lost at a lower share are among them."""
    size = max(1, round(PACKET * rate))
    lost = draw.random(-(-len(samples) // size)) < level
    return np.where(np.repeat(lost, size)[: len(samples)], 0, samples)


def offset(samples: Samples, rate: int, level: float, draw: np.random.Generator) -> Samples:
    """The sound comes `level` seconds too early or too late, of which a clip is drawn one; silence fills."""
    shift = min(round(level * rate), len(samples))
    silence = np.zeros(shift)
    late = draw.random() < 0.5
    parts = [silence, samples[: len(samples) - shift]] if late else [samples[shift:], silence]
    return np.concatenate(parts)


def _at(snr_db: float, noise: Samples, samples: Samples) -> Samples:
    """The noise at this level below the samples' mean power."""
    power, own = (float(np.mean(np.square(part, dtype=float))) for part in (samples, noise))
    return noise * np.sqrt(power / own * 10 ** (-snr_db / 10)) if own else noise


CORRUPTIONS: dict[str, Corruption] = {
    "white_noise": Corruption(white_noise, (20, 10, 5, 0, -5), "dB"),
    "shaped_noise": Corruption(shaped_noise, (20, 10, 5, 0, -5), "dB"),
    "clipping": Corruption(clipping, (0.5, 0.25, 0.12, 0.06, 0.03), "of the peak"),
    "low_pass": Corruption(low_pass, (0.5, 0.25, 0.12, 0.06, 0.03), "of the highest frequency"),
    "dropouts": Corruption(dropouts, (0.1, 0.2, 0.35, 0.5, 0.7), "of the packets"),
    "offset": Corruption(offset, (0.04, 0.08, 0.16, 0.32, 0.64), "s"),
}
