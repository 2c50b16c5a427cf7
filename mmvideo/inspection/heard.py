"""What an encoder of sound makes of a waveform before it learns anything: what of sound is worth a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmvideo.config import Input
from mmvideo.encoders.audio import SpectrogramCnn
from mmvideo.encoders.mfcc import MfccColumns
from mmvideo.encoders.sound_model import SoundModel
from mmvideo.encoders.sound_models import FAMILIES, sound_of
from mmvideo.pretrained import model_config
from mmvideo.types import FeatureInput, Tokens

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Spectrogram:
    """A log-mel spectrogram, as `spectrogram_cnn` computes it."""

    sample_rate: int
    hop: int
    mel_bins: int
    standardized: bool = False
    """Each band over the clip."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Vectors that are made of the sound."""

    values: NDArray[np.float32]  # (N, F)
    times: NDArray[np.float32]  # (N,) seconds
    title: str


@dataclass(frozen=True)
class Waveform:
    """The sound itself."""

    sample_rate: int
    title: str


Heard = Spectrogram | Columns | Waveform


def heard(given: Input, hops: Samples, times: Samples, told: FeatureInput | None) -> Heard:
    """What the encoder of a modality is given of a clip's sound.

    Args:
        hops: of the waveform, (N, hop).
        times: of their centres, (N,).
        told: what the training clips' vectors are standardised by, where they are.
    """
    options = given.encoder.options
    if isinstance(options, SpectrogramCnn.Config):
        sound = SpectrogramCnn.needs(options)
        return Spectrogram(sound.sample_rate, sound.hop, options.mel_bins, options.standardize)
    if isinstance(options, MfccColumns.Config):
        return _mfcc(options, hops, times, told)
    rate = given.encoder.component.needs(options).known().sample_rate
    if isinstance(options, SoundModel.Config):
        return Waveform(rate, _of_model(str(options.model)))
    return Waveform(rate, f"the waveform, of which {given.encoder.name} makes its own")


def _mfcc(options: MfccColumns.Config, hops: Samples, times: Samples, told: FeatureInput | None) -> Heard:
    plain = MfccColumns.plain(options)
    vectors = plain.measured(torch.from_numpy(hops))[None]
    mask = torch.ones(vectors.shape[:2], dtype=torch.bool)
    found = plain.of(Tokens(vectors, mask, torch.from_numpy(times)[None]))
    values = found.values[0].numpy()
    title = f"{options.coefficients} MFCC each {1000 * options.hop_seconds:g} ms"
    if options.parts:
        title += f", means of {options.parts} parts"
    if options.summary:
        title += ", beside mean and deviation of the clip"
    if told is not None and told.width == values.shape[1]:
        values = (values - np.array(told.mean, np.float32)) / np.array(told.std, np.float32)
        title += ", standardised"
    return Columns(values, found.time[0].numpy(), title)


def _of_model(model: str) -> str:
    """What a pretrained model makes of the waveform by itself, in words."""
    says = sound_of(model)
    bands = says.get("feature_size") or says.get("num_mel_bins")
    family = FAMILIES[model_config(model)["model_type"]]
    made = f"makes {bands} mel bands of it itself" if bands else "hears it as it is"
    return f"the waveform at {says['sampling_rate'] / 1000:g} kHz; {family.title} {made} ({family.input})"
