"""Convolutions over masked sequences. Padding is zeroed before each of them, so that it cannot leak in."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of (B, C, ...); nothing crosses positions or clips."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class SpectrogramStage(nn.Module):
    """Convolution, activation, norm on (B, C, F, N); halves frequency, and time where `halve_time`."""

    def __init__(self, inputs: int, outputs: int, *, halve_time: bool) -> None:
        super().__init__()
        self.time_stride = 2 if halve_time else 1
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=(2, self.time_stride), padding=1)
        self.norm = ChannelNorm(outputs)

    def forward(
        self, x: Float[Tensor, "B C F N"], mask: Bool[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B c f n"], Bool[Tensor, "B n"]]:
        """The output and its mask. Output position j is centred on input position j × stride."""
        x = self.convolution(torch.where(mask[:, None, None], x, 0.0))
        return self.norm(F.relu(x)), mask[:, :: self.time_stride]


class TemporalBlock(nn.Module):
    """Pre-norm residual convolution in time on (B, N, D).

    As in Bai et al., 2018 (https://arxiv.org/abs/1803.01271), but not causal.
    """

    def __init__(self, width: int, *, dilation: int, kernel: int = 5, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(
            width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation
        )
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Float[Tensor, "B N D"]:
        inner = torch.where(mask[..., None], self.norm(x), 0.0)
        inner = F.gelu(self.convolution(inner.transpose(1, 2)).transpose(1, 2))
        return x + self.dropout(self.out(inner))
