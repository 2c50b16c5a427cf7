"""Convolutions over masked sequences: known values, strides, reach, and no leak from padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmvideo.layers.convolution import ChannelNorm, SpectrogramStage, TemporalBlock


def prefix(length: int, longest: int) -> torch.Tensor:
    return torch.arange(longest)[None] < length


def test_channel_norm_looks_at_one_position_alone() -> None:
    x = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    out = ChannelNorm(5)(x).detach().numpy()
    mean, variance = x.numpy().mean(axis=1, keepdims=True), x.numpy().var(axis=1, keepdims=True)
    np.testing.assert_allclose(out, (x.numpy() - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)


class TestSpectrogramStage:
    @pytest.mark.parametrize(("halve_time", "columns"), [(True, 4), (False, 7)])
    def test_shapes_and_mask(self, halve_time: bool, columns: int) -> None:
        stage = SpectrogramStage(1, 3, halve_time=halve_time)
        out, mask = stage(torch.randn(1, 1, 10, 7), prefix(5, 7))
        assert out.shape == (1, 3, 5, columns)
        # output j is centred on input j × stride: columns 0, 2, 4 of five real ones
        assert mask.sum() == (3 if halve_time else 5)

    @pytest.mark.parametrize("halve_time", [True, False])
    def test_output_is_centred_on_its_input(self, halve_time: bool) -> None:
        """A change at column 4 reaches the outputs whose three-column window holds it, and no others."""
        torch.manual_seed(0)
        stage = SpectrogramStage(1, 3, halve_time=halve_time)
        x = torch.randn(1, 1, 4, 9)
        changed = x.clone()
        changed[..., 4] += 1
        before, _ = stage(x, prefix(9, 9))
        after, _ = stage(changed, prefix(9, 9))
        touched = (before != after).any(dim=2).any(dim=1)[0]
        assert touched.nonzero().flatten().tolist() == ([2] if halve_time else [3, 4, 5])

    @pytest.mark.parametrize("length", [1, 4, 5])
    @pytest.mark.parametrize("halve_time", [True, False])
    def test_padding_does_not_leak(self, length: int, halve_time: bool) -> None:
        torch.manual_seed(0)
        stage = SpectrogramStage(2, 3, halve_time=halve_time)
        x = torch.randn(1, 2, 6, length)
        alone, mask = stage(x, prefix(length, length))
        padded, padded_mask = stage(
            torch.cat([x, torch.full((1, 2, 6, 7), 1e3)], dim=3), prefix(length, length + 7)
        )
        assert padded_mask.sum() == mask.sum()
        torch.testing.assert_close(padded[:, :, :, : alone.shape[3]], alone)


class TestTemporalBlock:
    def test_known_values(self) -> None:
        """With an identity kernel and output, the block is x + gelu(norm(x))."""
        block = TemporalBlock(4, dilation=1)
        with torch.no_grad():
            block.convolution.weight.zero_()
            block.convolution.weight[:, :, 2] = torch.eye(4)
            block.convolution.bias.zero_()
            block.out.weight.copy_(torch.eye(4))
            block.out.bias.zero_()
        x = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
        expected = x + torch.nn.functional.gelu(torch.nn.functional.layer_norm(x, (4,)))
        torch.testing.assert_close(block(x, prefix(3, 3)), expected)

    @pytest.mark.parametrize(("dilation", "reached"), [(1, [8, 9, 10, 11, 12]), (3, [4, 7, 10, 13, 16])])
    def test_reach_is_the_dilated_kernel(self, dilation: int, reached: list[int]) -> None:
        torch.manual_seed(0)
        x = torch.randn(1, 20, 4, requires_grad=True)
        TemporalBlock(4, dilation=dilation)(x, prefix(20, 20))[0, 10].sum().backward()
        assert x.grad is not None
        assert x.grad[0].abs().sum(dim=1).nonzero().flatten().tolist() == reached

    @pytest.mark.parametrize("length", [1, 3, 6])
    def test_padding_does_not_leak(self, length: int) -> None:
        torch.manual_seed(0)
        block = TemporalBlock(4, dilation=2)
        x = torch.randn(1, length, 4)
        alone = block(x, prefix(length, length))
        padded = block(torch.cat([x, torch.full((1, 5, 4), 1e3)], dim=1), prefix(length, length + 5))
        torch.testing.assert_close(padded[:, :length], alone)
