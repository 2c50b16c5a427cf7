"""Packed rows: all real tokens, where they belong, and nothing else that counts."""

from __future__ import annotations

import pytest
import torch

from mmvideo.layers.packing import Rows

SHAPE = (3, 4, 7)


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (G, B, N, D) and which are real, one of the sequences having none."""
    torch.manual_seed(0)
    real = torch.rand(SHAPE) < 0.5
    real[1, 2] = False
    return torch.randn(*SHAPE, 5), real


def test_packing_leaves_out_padding_and_unpacking_puts_tokens_back() -> None:
    x, real = draw()
    rows = Rows(real, 100)
    packed = rows.pack(x)
    assert packed.shape == (3, 1, int(real.sum(dim=(1, 2)).max()) + 1, 5)
    assert torch.equal(rows.unpack(packed)[real], x[real])
    assert torch.equal(rows.first(packed, 2)[real[:, :, :2]], x[:, :, :2][real[:, :, :2]])


def test_tokens_stay_where_packing_does_not_pay() -> None:
    x, real = draw()
    assert Rows(real, 32).pack(x) is x
    assert Rows(real, 0).pack(x) is x
    assert Rows(real | True, 1000).pack(x) is x


def test_some_streams_and_the_same_twice() -> None:
    x, real = draw()
    chosen = torch.tensor([2, 0, 2])
    rows = Rows(real, 100).of(chosen)
    assert torch.equal(rows.unpack(rows.pack(x[chosen]))[real[chosen]], x[chosen][real[chosen]])


@pytest.mark.parametrize("width", [0, 100])
def test_joined_tokens_stand_at_the_end_of_each_sequence(width: int) -> None:
    x, real = draw()
    rows, more = Rows(real, width), torch.randn(*SHAPE[:2], 2, 5)
    joint, longer = rows.join(rows.pack(x), more), rows.extended(2)
    unpacked = longer.unpack(joint)
    assert torch.equal(unpacked[:, :, :7][real], x[real])
    assert torch.equal(unpacked[:, :, 7:], more)
    assert torch.equal(longer.unpack(longer.pack(unpacked))[longer.real], unpacked[longer.real])
    old, new = rows.split(joint)
    assert torch.equal(old, rows.pack(x))
    assert torch.equal(new, more)


def test_gradients_are_those_of_padded_sequences() -> None:
    x, real = draw()
    x, rows = x.double().requires_grad_(), Rows(real, 100)
    weight = torch.randn(5, 5).double()

    def mapped(x: torch.Tensor) -> torch.Tensor:
        back = rows.unpack(torch.tanh(rows.pack(x) @ weight))
        return torch.where(real[..., None], back, 0.0)

    padded = torch.where(real[..., None], torch.tanh(x @ weight), 0.0)
    (expected,) = torch.autograd.grad(padded.square().sum(), x)
    (found,) = torch.autograd.grad(mapped(x).square().sum(), x)
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradgradcheck(mapped, (x,))
