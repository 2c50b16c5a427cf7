"""Pictures changed in training a whole batch at once, on the device where the model computes.

The same draws as clip by clip (`ClipTransform`), and the same pictures but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample

from mmvideo.modalities.picture_changes import Change, Framing, PictureConfig

INTERPOLATIONS = ("bilinear", "bicubic")
"""Whose kernels are known here."""
CUBIC = -0.5
"""The parameter of the cubic kernel with which pictures are made smaller without aliases (Keys, 1981)."""
GREY = (0.2989, 0.587, 0.114)
"""Shares of red, green and blue, as torchvision has them."""


class Rows(NamedTuple):
    """The fields of the clips' `Change`, each (B,)."""

    height: Tensor
    width: Tensor
    degrees: Tensor
    flipped: Tensor
    top: Tensor
    left: Tensor
    rows: Tensor
    columns: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor


@dataclass(frozen=True)
class PictureChanges:
    """What is still to be done to the frames of a batch (`mmvideo.types.Pending`)."""

    rows: Float[Tensor, "B 12"]
    """Each clip's `Change`, as `Rows`."""
    size: int
    """Side of the model's square."""
    interpolation: str
    """One of INTERPOLATIONS, where anything is resized."""
    turns: bool
    resizes: bool
    recolours: bool
    """Whether clips of the run are turned, resized or recoloured: rows on the device do not tell without
    waiting for it."""

    @classmethod
    def of(cls, change: Change | None, config: PictureConfig, framing: Framing) -> PictureChanges:
        """One clip's change; None: of a clip without frames, or whose frames are squares already, nothing."""
        size = framing.size
        change = change or Change(size, size, None, False, 0, 0, size, size)
        return cls(
            torch.tensor([[float(getattr(change, name) or 0) for name in Rows._fields]]),
            size,
            framing.interpolation,
            turns=config.rotate_degrees > 0,
            resizes=config.smallest_crop < 1 or framing.whole,
            recolours=config.recolours,
        )

    def together(self, others: Sequence[PictureChanges]) -> PictureChanges:
        """This and the others', in order, as one batch's."""
        return replace(self, rows=torch.cat([self.rows, *(other.rows for other in others)]))

    def to(self, device: torch.device | str) -> PictureChanges:
        return replace(self, rows=self.rows.to(device, non_blocking=torch.device(device).type != "cpu"))

    def pin_memory(self) -> PictureChanges:
        return replace(self, rows=self.rows.pin_memory())

    def tensors(self) -> Iterator[Tensor]:
        yield self.rows

    def apply(self, frames: UInt8[Tensor, "B T 3 H W"]) -> UInt8[Tensor, "B T 3 S S"]:
        """The frames as the model sees them. Of clips smaller than the batch's frames the rest is zeros.

        Channels lie last in memory, as the model computes.
        """
        clips, times = frames.shape[:2]
        change = Rows(*self.rows.unbind(dim=1))
        flat = frames.flatten(1, 2).float()
        if self.resizes:
            flat = _levels(_turned(flat, change)) if self.turns else flat
            flat = _levels(_resized(flat, change, self.size, self.interpolation))
        else:
            flat = _levels(_cut(flat, change, self.size))
        shown = flat.unflatten(1, (times, 3))
        if self.recolours:
            shown = _recoloured(shown, change)
        last = shown.to(torch.uint8).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return last.unflatten(0, (clips, times))


def _levels(frames: Tensor) -> Tensor:
    """Whole levels, as frames have them that are changed one by one."""
    return frames.round_().clamp_(0, 255)


def _cut(frames: Float[Tensor, "B C H W"], change: Rows, size: int) -> Float[Tensor, "B C S S"]:
    """Squares of the turned and flipped frames; where nothing is resized."""
    steps = torch.arange(size, device=frames.device, dtype=frames.dtype)
    rows, columns = _column(change.top) + steps, _column(change.left) + steps
    mirrored = _column(change.width) - 1 - columns
    return _sampled(frames, change, rows, torch.where(_column(change.flipped) > 0, mirrored, columns))


def _turned(frames: Float[Tensor, "B C H W"], change: Rows) -> Float[Tensor, "B C H W"]:
    """All of the frames turned, each about its own centre; what lies outside its own size is not used."""
    y, x = (torch.arange(n, device=frames.device, dtype=frames.dtype)[None] for n in frames.shape[2:])
    return _sampled(frames, change, y.expand(len(frames), -1), x.expand(len(frames), -1))


def _sampled(
    frames: Float[Tensor, "B C H W"], change: Rows, y: Float[Tensor, "B h"], x: Float[Tensor, "B w"]
) -> Float[Tensor, "B C h w"]:
    """The turned frames at some of their rows and columns."""
    height, width = frames.shape[2:]
    angle = torch.deg2rad(-_column(change.degrees))[..., None]
    middle_y, middle_x = (((_column(n) - 1) / 2)[..., None] for n in (change.height, change.width))
    y, x = y[:, :, None] - middle_y, x[:, None, :] - middle_x
    from_x = angle.cos() * x + angle.sin() * y + middle_x
    from_y = angle.cos() * y - angle.sin() * x + middle_y
    grid = torch.stack([(2 * from_x + 1) / width - 1, (2 * from_y + 1) / height - 1], dim=-1)
    return grid_sample(frames, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _resized(
    frames: Float[Tensor, "B C H W"], change: Rows, size: int, interpolation: str
) -> Float[Tensor, "B C S S"]:
    """Parts of the flipped frames, resized without aliases: rows and columns are each a matrix product."""
    height, width = frames.shape[2:]
    down = _weights(change.top, change.rows, height, size, interpolation)
    across = _weights(change.left, change.columns, width, size, interpolation)
    here = torch.arange(width, device=frames.device, dtype=frames.dtype).expand(len(frames), -1)
    mirrored = (_column(change.width) - 1 - here)[:, None].expand_as(across)
    flipped = across.gather(2, mirrored.clamp(min=0).long()) * (mirrored >= 0)
    across = torch.where(_column(change.flipped)[..., None] > 0, flipped, across)
    return down[:, None] @ _levels(frames @ across.transpose(1, 2)[:, None])


def _weights(
    first: Tensor, length: Tensor, available: int, size: int, interpolation: str
) -> Float[Tensor, "B S N"]:
    """What each of `size` pixels is made of: shares of the `available` ones, those from `first` on, `length`
    of them. The kernel is stretched by the scale where pictures get smaller, as Pillow has it."""
    scale = length[:, None, None] / size
    stretch = scale.clamp(min=1.0)
    centre = scale * (torch.arange(size, device=first.device)[None, :, None] + 0.5)
    place = torch.arange(available, device=first.device)[None, None, :] - first[:, None, None]
    weights = _kernel((place + 0.5 - centre) / stretch, interpolation)
    weights = weights * ((place >= 0) & (place < length[:, None, None]))
    return weights / weights.sum(dim=2, keepdim=True)


def _kernel(distance: Tensor, interpolation: str) -> Tensor:
    x = distance.abs()
    if interpolation == "bilinear":
        return (1 - x).clamp(min=0)
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = CUBIC * (((x - 5) * x + 8) * x - 4)
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _recoloured(frames: Float[Tensor, "B T 3 S S"], change: Rows) -> Float[Tensor, "B T 3 S S"]:
    """Whole levels after each of the four, cut off and not rounded, as torchvision has them."""
    frames = _blend(frames, 0.0, change.brightness)
    frames = _blend(frames, _grey(frames).mean(dim=(-3, -2, -1), keepdim=True), change.contrast)
    frames = _blend(frames, _grey(frames), change.saturation)
    turned = (_with_hue(frames / 255, change.hue) * 255.999).floor()
    return torch.where(_wide(change.hue) == 0, frames, turned)


def _blend(frames: Tensor, other: Tensor | float, share: Tensor) -> Tensor:
    wide = _wide(share)
    return (frames * wide + other * (1 - wide)).clamp_(0, 255).floor_()


def _grey(frames: Float[Tensor, "B T 3 S S"]) -> Float[Tensor, "B T 1 S S"]:
    red, green, blue = frames.split(1, dim=2)
    return (GREY[0] * red + GREY[1] * green + GREY[2] * blue).floor_()


def _with_hue(frames: Float[Tensor, "B T 3 S S"], by: Tensor) -> Float[Tensor, "B T 3 S S"]:
    """Levels 0 to 1 whose hue is turned by a share of the colour circle; lightness and saturation stay.

    By the formula of HSV colour with hexagonal hue (Smith, 1978).
    """
    red, green, blue = frames.split(1, dim=2)
    most, least = frames.amax(dim=2, keepdim=True), frames.amin(dim=2, keepdim=True)
    span = most - least
    some = span.clamp(min=1e-8)
    from_green = torch.where(most == green, 2 + (blue - red) / some, 4 + (red - green) / some)
    sixth = torch.where(most == red, (green - blue) / some, from_green) + 6 * _wide(by)
    parts = [(sixth + n).remainder(6) for n in (5, 3, 1)]
    return torch.cat([most - span * torch.minimum(k, 4 - k).clamp(0, 1) for k in parts], dim=2)


def _column(values: Tensor) -> Tensor:
    return values[:, None]


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]
