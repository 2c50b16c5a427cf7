"""Log-mel spectrogram, CNN over its patches, convolutions in time."""

from __future__ import annotations

from collections.abc import Set
from contextlib import nullcontext
from typing import Annotated, ClassVar

import annotated_types as at
import torch
import torchaudio
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmvideo.encoders.base import Encoder
from mmvideo.layers.convolution import SpectrogramStage, TemporalBlock
from mmvideo.layers.spec_augment import SpecAugment
from mmvideo.modalities.audio import Sound
from mmvideo.schema import Positive, PositiveFloat
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level

WINDOW_SECONDS = 0.032
LOG_FLOOR = 1e-6
LOG_MEAN, LOG_SCALE = 0.0, 2.5  # fixed, so that no clip's values depend on another's; see LogMel


def window_samples(sample_rate: int) -> int:
    """Samples in the spectrogram's window: the power of 2 at or below `WINDOW_SECONDS`."""
    return 2 ** (round(WINDOW_SECONDS * sample_rate).bit_length() - 1)


class LogMel(nn.Module):
    """Log-mel spectrogram, one column per input item; tested against librosa.

    ln(mel power + 1e-6), shifted and scaled by constants that bring ordinary speech and music near zero mean
    and unit scale. The waveform is extended by zeros, as padding is, so that a longer batch changes nothing.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, sample_rate: int, hop: int, mel_bins: int) -> None:
        super().__init__()
        window = window_samples(sample_rate)
        filters = torchaudio.functional.melscale_fbanks(
            window // 2 + 1, 0.0, sample_rate / 2, mel_bins, sample_rate
        )
        self.hop = hop
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, hops: Float[Tensor, "B N S"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B F N"]:
        waveform = hops.masked_fill(~mask[..., None], 0.0).flatten(1)
        spectrum = torch.stft(
            waveform,
            len(self.window),
            self.hop,
            window=self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        spectrum = spectrum[:, :, : mask.shape[1]]
        power = spectrum.real.square() + spectrum.imag.square()  # several times faster than abs().square()
        # a loud clip's power is beyond 16 bits: this product stays out of mixed precision
        with nullcontext() if power.is_meta else torch.autocast(power.device.type, enabled=False):
            mel = power.transpose(1, 2) @ self.filters
            return (torch.log(mel + LOG_FLOOR) - LOG_MEAN).transpose(1, 2) / LOG_SCALE


def standardized(mel: Float[Tensor, "B F N"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B F N"]:
    """Each band with mean 0 and standard deviation 1 over the clip's real columns.

    Mean and variance normalisation as Viikki & Laurila (1998, https://doi.org/10.1016/S0167-6393(98)00033-8)
    do it for cepstra: steady noise and the channel's colour drop out.
    """
    real = mask[:, None].float()
    count = real.sum(dim=2, keepdim=True).clamp(min=1)
    centred = (mel - (mel * real).sum(dim=2, keepdim=True) / count) * real
    deviation = (centred.square().sum(dim=2, keepdim=True) / count).sqrt()
    return centred / deviation.clamp(min=1e-3)


class SpectrogramCnn(Encoder):
    """Stem: CNN features of patches, four columns apart. Trunk: residual convolutions in time. Clip: pooled.

    Inputs are waveforms cut into items of `hop` samples, (B, N, hop) float in [-1, 1].
    """

    takes: ClassVar[str] = "audio"

    class Config(Encoder.Config):
        """The spectrogram, the CNN on it, and SpecAugment."""

        sample_rate: Positive = 16000
        """Audio samples per second (mono)."""
        hop_seconds: PositiveFloat = 0.01
        """Seconds of audio per item, which is one column of the spectrogram."""
        mel_bins: Positive = 64
        channels: tuple[Positive, ...] = (16, 32, 64)
        """Widths of the CNN's stages; each halves the frequency axis, the first two also halve time."""
        standardize: bool = False
        """Each mel band with mean 0 and standard deviation 1 over the clip: steady noise drops out."""
        trunk_layers: Positive = 2
        time_masks: Annotated[int, at.Ge(0)] = 0
        """SpecAugment in training: how many stretches of time are blanked, each of up to
        `time_mask_columns`."""
        time_mask_columns: Positive = 20
        mel_masks: Annotated[int, at.Ge(0)] = 0
        """How many bands of frequency are blanked, each up to `mel_mask_bins` wide."""
        mel_mask_bins: Positive = 8

    @classmethod
    def needs(cls, config: Config) -> Sound:
        return Sound(config.sample_rate, max(1, round(config.hop_seconds * config.sample_rate)))

    def __init__(self, config: Config, told: None, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        sound = self.needs(config)
        self.log_mel = LogMel(sound.sample_rate, sound.hop, config.mel_bins)
        self.standardize = config.standardize
        self.spec_augment = SpecAugment(
            config.time_masks, config.time_mask_columns, config.mel_masks, config.mel_mask_bins
        )
        sizes = list(zip((1, *config.channels), config.channels, strict=False))
        self.stages = nn.ModuleList(
            SpectrogramStage(a, b, halve_time=i < 2) for i, (a, b) in enumerate(sizes)
        )
        rows = config.mel_bins
        for _ in config.channels:
            rows = (rows + 1) // 2
        self.project = nn.Sequential(
            nn.Linear(rows * config.channels[-1], width), nn.LayerNorm(width), nn.Dropout(config.dropout)
        )
        depth = config.trunk_layers if self.needs_trunk else 0
        self.blocks = nn.ModuleList(
            TemporalBlock(width, dilation=2**i, dropout=config.dropout) for i in range(depth)
        )
        self.norm = nn.LayerNorm(width) if self.needs_trunk else None

    def stem(self, inputs: Tokens) -> Tokens:
        mask, time, host = inputs.mask, inputs.time, inputs.host
        mel = self.log_mel(inputs.values, mask)
        if self.standardize:
            mel = standardized(mel, mask)
        x = self.spec_augment(mel, mask)[:, None]
        for stage in self.stages:
            x, mask = stage(x, mask)
            time = time[:, :: stage.time_stride]
            host = host and (host[0][:, :: stage.time_stride], host[1][:, :: stage.time_stride])
        values = self.project(x.permute(0, 3, 1, 2).flatten(2))
        return Tokens(values, mask, time, host=host)

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.norm is not None
        x = stem.values
        for block in self.blocks:
            x = block(x, stem.mask)
        return stem.replace_values(self.norm(x))
