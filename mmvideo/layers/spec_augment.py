"""SpecAugment: stretches of time and bands of frequency blanked in training."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Time and frequency masks on a standardised spectrogram (Park et al., 2019, https://arxiv.org/abs/1904.08779).

    Each clip has masks of its own, placed within its real columns; blanked cells are 0, the mean. In
    evaluation nothing changes. Draws come from torch's global generator, as dropout's do.
    """

    def __init__(self, time_masks: int, time_columns: int, mel_masks: int, mel_bins: int) -> None:
        super().__init__()
        self.time_masks, self.time_columns = time_masks, time_columns
        self.mel_masks, self.mel_bins = mel_masks, mel_bins

    def forward(self, spectrum: Float[Tensor, "B F N"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B F N"]:
        if not self.training:
            return spectrum
        batch, bins, columns = spectrum.shape
        bands = torch.full((batch,), bins, device=spectrum.device)
        time = _stretches(self.time_masks, self.time_columns, mask.sum(dim=1), columns)
        frequency = _stretches(self.mel_masks, self.mel_bins, bands, bins)
        return spectrum.masked_fill(time[:, None] | frequency[:, :, None], 0.0)


def _stretches(count: int, longest: int, lengths: Tensor, size: int) -> Bool[Tensor, "B S"]:
    """Per row the union of `count` stretches, each 0 to `longest` long and within the row's length."""
    draw = torch.rand(2, len(lengths), count, 1, device=lengths.device)
    limit = lengths[:, None, None]
    width = (draw[0] * (torch.clamp(limit, max=longest) + 1)).floor()
    start = (draw[1] * (limit - width + 1)).floor()
    position = torch.arange(size, device=lengths.device)
    return ((position >= start) & (position < start + width)).any(dim=1)
