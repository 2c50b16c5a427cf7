"""Group norm that keeps the layout: the same numbers and gradients, channels last from frame to vector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmvideo.encoders.backbones import torchvision_backbone
from mmvideo.encoders.visual import SmallCnn
from mmvideo.layers.normalization import GroupNorm

LAST = torch.channels_last


@pytest.mark.parametrize("groups", [1, 4])
def test_written_out_it_is_the_same(groups: int) -> None:
    torch.manual_seed(0)
    norm = GroupNorm(groups, 12)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = (torch.randn(3, 12, 5, 4) * 7 + 20).contiguous(memory_format=LAST)
    found = []
    for way in (norm.forward, norm.written_out):
        given = x.clone(memory_format=torch.preserve_format).requires_grad_()
        out = way(given)
        assert out.is_contiguous(memory_format=LAST)
        out.square().sum().backward()
        assert given.grad is not None
        found.append((out, given.grad, *(p.grad.clone() for p in norm.parameters() if p.grad is not None)))
        norm.zero_grad()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["small, max", "small, average", "resnet18", "mobilenet_v3_small"])
def test_channels_stay_last_through_backbones_from_scratch(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GroupNorm, "forward", GroupNorm.written_out)  # as on a GPU
    if name.startswith("small"):
        cnn: nn.Module = SmallCnn((4, 8), "max" if "max" in name else "average")
    else:
        cnn, _ = torchvision_backbone(name, None, frozen=False)
    seen = 0

    def look(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal seen
        if out.ndim == 4:
            seen += 1
            assert out.is_contiguous(memory_format=LAST), f"{type(module).__name__} put channels first"

    for module in cnn.modules():
        module.register_forward_hook(look)
    cnn(torch.zeros(2, 3, 64, 64).contiguous(memory_format=LAST))
    assert seen > 5
