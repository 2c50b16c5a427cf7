"""Group norm that leaves a batch of pictures in the layout in which it came."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """Group norm (Wu & He, 2018, https://arxiv.org/abs/1803.08494), channels last where its input is.

    torch's kernel for GPUs copies such an input to channels first, and the next convolution copies it back.
    There, mean and variance are taken and the scale applied by operations that keep the layout; on a CPU
    torch's own kernel does.
    """

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        return super().forward(x) if x.device.type == "cpu" else self.written_out(x)

    def written_out(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """(x - mean) / deviation · weight + bias as one scale and one shift a channel, in 32 bits."""
        x = x.float()
        groups = x.unflatten(1, (self.num_groups, -1))
        variance, mean = torch.var_mean(groups, dim=(2, 3, 4), correction=0, keepdim=True)
        weight, bias = (part.view(1, self.num_groups, -1, 1, 1) for part in (self.weight, self.bias))
        scale = torch.rsqrt(variance + self.eps) * weight
        return x * scale.flatten(1, 2) + (bias - mean * scale).flatten(1, 2)
