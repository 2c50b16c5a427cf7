"""What can be told of a clip without learning anything: pixels of tiny pictures, and MFCC."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache

import torch
import torchaudio
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.amp.autocast_mode import is_autocast_available
from torch.nn.functional import pad

MEL_BINS = 64
WINDOW_SECONDS = 0.032
LOG_FLOOR = 1e-6


def pixels_and_change(frames: UInt8[Tensor, "*B N 3 H W"]) -> Float[Tensor, "*B N F"]:
    """Each frame's pixels in [0, 1], and by how much each differs from the frame before (the first: 0)."""
    pixels = frames.flatten(-3).float() / 255
    change = pixels.diff(dim=-2, prepend=pixels[..., :1, :]).abs()
    return torch.cat([pixels, change], dim=-1)


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
