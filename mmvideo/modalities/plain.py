"""What can be told of a clip without learning anything: pixels of tiny pictures, and MFCC."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache

import torch
import torchaudio
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.amp.autocast_mode import is_autocast_available
from torch.nn.functional import pad

from mmvideo.layers.pooling import part_shares
from mmvideo.types import Tokens

MEL_BINS = 64
WINDOW_SECONDS = 0.032
LOG_FLOOR = 1e-6


def pixels_and_change(frames: UInt8[Tensor, "*B N 3 H W"]) -> Float[Tensor, "*B N F"]:
    """Each frame's pixels in [0, 1], and by how much each differs from the frame before (the first: 0)."""
    pixels = frames.flatten(-3).float() / 255
    change = pixels.diff(dim=-2, prepend=pixels[..., :1, :]).abs()
    return torch.cat([pixels, change], dim=-1)


def clip_summary(values: Float[Tensor, "B N F"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B 1 2*F"]:
    """Mean and deviation of each clip's vectors."""
    real = mask[..., None].to(values.dtype)
    count = real.sum(dim=1, keepdim=True).clamp(min=1)
    values = values * real
    mean = values.sum(dim=1, keepdim=True) / count
    deviation = (((values - mean) * real).square().sum(dim=1, keepdim=True) / count).sqrt()
    return torch.cat([mean, deviation], dim=-1)


@dataclass(frozen=True)
class PlainVectors:
    """What an encoder of plain vectors makes of a clip's items before anything is learnt."""

    measured: Callable[[Tensor], Tensor]
    """A clip's items, or those of several, as they follow one another → a vector for each."""
    parts: int = 0
    """In place of the vectors, the means of so many parts of the clip, as `part_shares` has them; 0: none."""
    summary: bool = False
    """Each vector or part stands beside mean and deviation of the clip's vectors."""

    def __call__(self, items: Tensor) -> Float[Tensor, "N F"]:
        """Of one whole clip."""
        values = self.measured(items)
        mask = torch.ones(1, len(values), dtype=torch.bool)
        return self.of(Tokens(values[None], mask, mask.float())).values[0]

    def of(self, vectors: Tokens) -> Tokens:
        """The same of clips (B, N, F) whose vectors are known."""
        found = vectors
        if self.parts:
            shares = part_shares(vectors.mask, self.parts)
            summed = (shares.transpose(1, 2) @ t for t in (vectors.values, vectors.time[..., None]))
            values, time = summed
            there = vectors.mask.any(dim=1, keepdim=True).expand(-1, self.parts)
            found = Tokens(values, there, time[..., 0])
        if not self.summary:
            return found
        beside = clip_summary(vectors.values, vectors.mask).expand(-1, found.values.shape[1], -1)
        return found.replace_values(torch.cat([found.values, beside], dim=-1))


@dataclass(frozen=True)
class Mfcc:
    """Mel-frequency cepstral coefficients, one column for each hop, its window centred on the hop's middle.

    Davis & Mermelstein (1980, https://doi.org/10.1109/TASSP.1980.1163420): the orthonormal DCT-II of
    ln(mel power + 1e-6), of 64 bands under a Hann window of 32 ms. Tested against librosa. Beyond its ends a
    clip is silent, as padding is, so that a longer batch changes nothing.
    """

    sample_rate: int
    hop: int
    coefficients: int = 40

    def __call__(self, hops: Float[Tensor, "*B N S"]) -> Float[Tensor, "*B N F"]:
        window, filters, cosines = (part.to(hops.device) for part in _constants(self))
        around = max(0, len(window) - self.hop)
        waveform = pad(hops.flatten(-2).float(), (around // 2, around - around // 2))
        kind = hops.device.type
        # a loud clip's power is beyond 16 bits: this stays out of mixed precision
        with torch.autocast(kind, enabled=False) if is_autocast_available(kind) else nullcontext():
            columns = waveform.unfold(-1, len(window), self.hop)[..., : hops.shape[-2], :]
            mel = torch.fft.rfft(columns * window).abs().square() @ filters
            return torch.log(mel + LOG_FLOOR) @ cosines


@lru_cache(maxsize=8)
def _constants(mfcc: Mfcc) -> tuple[Tensor, Tensor, Tensor]:
    """Window, mel filters and cosines."""
    length = max(mfcc.hop, round(WINDOW_SECONDS * mfcc.sample_rate))
    filters = torchaudio.functional.melscale_fbanks(
        length // 2 + 1, 0.0, mfcc.sample_rate / 2, MEL_BINS, mfcc.sample_rate
    )
    cosines = torchaudio.functional.create_dct(mfcc.coefficients, MEL_BINS, "ortho")
    return torch.hann_window(length), filters, cosines
