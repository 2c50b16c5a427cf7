"""Pictures cut to what a model sees and, in training, changed: a clip at a time, where it is loaded."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mmvideo.modalities.picture_changes import CENTRE, Change, Framing, PictureConfig, draw_change


class ClipTransform:
    """Rotate, flip, crop and recolour (T, 3, H, W) uint8 frames; in evaluation, only crop.

    Frames smaller than the crop are first resized so that it fits.
    """

    def __init__(self, config: PictureConfig, framing: Framing, *, training: bool) -> None:
        self.config, self.framing, self.training = config, framing, training
        self.size, self.whole = framing.size, framing.whole
        self.interpolation = InterpolationMode(framing.interpolation)

    def __call__(self, frames: Tensor, seed: int, place: tuple[float, float] = CENTRE) -> Tensor:
        """The same seed gives the same draw. (T, 3, size, size).

        Args:
            place: where an evaluation crop lies, from (0, 0) at the top left to (1, 1) at the bottom right.
        """
        frames = self.fitting(frames)
        if self.training:
            return self.changed(frames, self.draw(frames, seed))
        if self.whole:
            return F.resize(frames, [self.size] * 2, self.interpolation, antialias=True)
        top, left = self.framing.corner(frames.shape[2], frames.shape[3], place)
        return F.crop(frames, top, left, self.size, self.size)

    def fitting(self, frames: Tensor) -> Tensor:
        """The frames at the size of which the square is cut. (T, 3, h, w)."""
        size, resize = self.size, self.framing.resize
        if resize is None and min(frames.shape[2:]) < size:
            resize = size
        if resize is None or self.whole:
            return frames
        return F.resize(frames, [resize], self.interpolation, antialias=True)

    def draw(self, frames: Tensor, seed: int) -> Change:
        """The change of these frames in training; they are `fitting`."""
        return draw_change(self.config, self.framing, frames.shape[2], frames.shape[3], seed)

    def changed(self, frames: Tensor, change: Change) -> Tensor:
        """The frames, which are `fitting`, after a change."""
        size, box = self.size, (change.top, change.left, change.rows, change.columns)
        if box[2:] == (size, size):
            frames = _square(frames, change)
        else:
            frames = frames if change.degrees is None else rotate(frames, change.degrees)
            frames = frames.flip(-1) if change.flipped else frames
            frames = F.resized_crop(frames, *box, [size] * 2, self.interpolation, antialias=True)
        return self._recoloured(frames, change)

    def _recoloured(self, frames: Tensor, change: Change) -> Tensor:
        config = self.config
        if config.brightness:
            frames = F.adjust_brightness(frames, change.brightness)
        if config.contrast:
            frames = F.adjust_contrast(frames, change.contrast)
        if config.saturation:
            frames = F.adjust_saturation(frames, change.saturation)
        return F.adjust_hue(frames, change.hue) if config.hue else frames


def _square(frames: Tensor, change: Change) -> Tensor:
    """A crop of the rotated and flipped frames. Only what it shows is rotated and flipped."""
    left = change.width - change.columns - change.left if change.flipped else change.left
    box = (slice(change.top, change.top + change.rows), slice(left, left + change.columns))
    frames = frames[:, :, *box] if change.degrees is None else rotate(frames, change.degrees, *box)
    return frames.flip(-1) if change.flipped else frames


def rotate(frames: Tensor, degrees: float, rows: slice = slice(None), columns: slice = slice(None)) -> Tensor:
    """Frames turned counter-clockwise about their centre, black where nothing was; of the result, a part.

    The same, to the bit, as that part of torchvision's `rotate` with bilinear interpolation, which works all
    of it out.

    Args:
        frames: (T, 3, H, W) uint8.
        rows, columns: the part of H and W.
    """
    height, width = frames.shape[2:]
    angle = math.radians(-(degrees % 360))
    turn = torch.tensor([[[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0]]])
    turn = turn.transpose(1, 2) / torch.tensor([0.5 * width, 0.5 * height])
    grid = _pixels(height, width).bmm(turn).view(1, height, width, 2)[:, rows, columns]
    grid = grid.expand(len(frames), -1, -1, -1)
    turned = grid_sample(frames.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return turned.round_().to(torch.uint8)


@lru_cache(maxsize=64)
def _pixels(height: int, width: int) -> Tensor:
    """Each pixel's x and y from the picture's centre, and 1. (1, H·W, 3)."""
    y = torch.linspace((1 - height) * 0.5, (height - 1) * 0.5, height)
    x = torch.linspace((1 - width) * 0.5, (width - 1) * 0.5, width)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows, torch.ones(height, width)], dim=-1).view(1, -1, 3)
