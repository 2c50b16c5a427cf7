"""Time in seconds as something a network can use: encodings, distance biases, and alignment on one grid."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.types import Tokens


class TimeEncoding(nn.Module):
    """Fourier features of a time in seconds, then a linear map (periods from 16 s down to 1/8 s)."""

    angular: Tensor

    def __init__(self, width: int, frequencies: int = 8) -> None:
        super().__init__()
        angular = 2 * math.pi * 2.0 ** torch.linspace(-4, 3, frequencies)
        self.register_buffer("angular", angular, persistent=False)
        self.out = nn.Linear(2 * frequencies, width)

    def forward(self, time: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N D"]:
        angles = time[..., None] * self.angular
        return self.out(torch.cat([angles.sin(), angles.cos()], dim=-1))


class TimeDistanceBias(nn.Module):
    """An attention bias −slope · |t_query − t_key| with one learned slope a head.

    ALiBi (Press et al., 2022, https://arxiv.org/abs/2108.12409) in seconds rather than positions, so that
    tokens of different rates line up. Half of the heads start sharp (about 1/8 s), half nearly flat.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        start = torch.where(torch.arange(heads) % 2 == 0, 8.0, 0.1)
        self.raw_slope = nn.Parameter(torch.log(torch.expm1(start)))

    def forward(
        self,
        scores: Float[Tensor, "B H Q K"],
        query_time: Float[Tensor, "B Q"],
        key_time: Float[Tensor, "B K"],
    ) -> Float[Tensor, "B H Q K"]:
        """The scores with the bias added."""
        distance = (query_time[:, :, None] - key_time[:, None, :]).abs()
        slope = F.softplus(self.raw_slope)[None, :, None, None]
        return torch.addcmul(scores, distance[:, None], slope, value=-1)


def align(tokens: Tokens, centres: Float[Tensor, " G"], step: float) -> Float[Tensor, "B G D"]:
    """Tokens on a common time grid: each cell is the mean of the tokens inside it, else the nearest token.

    `centres` are the cells' centres in seconds, `step` their length. A clip without tokens gives zeros.
    """
    distance = (centres[None, :, None] - tokens.time[:, None, :]).abs()  # (B, G, N)
    distance = distance.masked_fill(~tokens.mask[:, None, :], torch.inf)
    inside = (distance <= step / 2).to(tokens.values.dtype)
    nearest = F.one_hot(distance.argmin(dim=2), distance.shape[2]).to(inside.dtype)
    weights = torch.where(inside.any(dim=2, keepdim=True), inside, nearest) * tokens.mask[:, None, :]
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1)
    return weights @ torch.where(tokens.mask[..., None], tokens.values, 0.0)
