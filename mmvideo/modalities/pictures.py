"""Augmentation of clips in training: one draw for all frames, replayable from (seed, epoch, clip)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import annotated_types as at
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mmvideo.schema import Fraction, Part
from mmvideo.seeding import derive_seed

ASPECTS = (3 / 4, 4 / 3)
"""Least and greatest width to height of a resized crop, as is usual for ImageNet."""
CENTRE = (0.5, 0.5)


@dataclass(frozen=True)
class Framing:
    """How a model's square is made of a frame."""

    size: int
    """Side in pixels of the square."""
    whole: bool = False
    """All of the frame, squeezed into the square; else a crop."""
    resize: int | None = None
    """Length to which the frame's shorter side is brought before the crop. None: frames are as stored, and
    only those smaller than the square are resized."""
    interpolation: str = "bilinear"
    """How pixels are resized: torchvision's name."""
    floors: bool = False
    """Where the middle lies between two pixels, the crop begins at the one before, as transformers'
    processors have it; else at the even one, as torchvision and timm do."""


class PictureConfig(Part):
    """Random changes to pictures in training, drawn from (seed, epoch, clip), the same for a clip's
    frames."""

    random_crop: bool = True
    """In training, crop at a random place (one draw for all frames of a clip); else at the centre."""
    flip_probability: Fraction = 0.0
    """Chance of a horizontal flip in training. Leave 0 where direction is part of the label."""
    rotate_degrees: Annotated[float, at.Ge(0), at.Le(180)] = 0.0
    """In training, rotate by an angle drawn between minus and plus this."""
    smallest_crop: Annotated[float, at.Gt(0), at.Le(1)] = 1.0
    """Crops take a share of the frame's area between this and 1, at an aspect of 3:4 to 4:3, and are resized
    to the encoder's size (Szegedy et al., 2015, https://arxiv.org/abs/1409.4842). 1: squares of that size."""
    brightness: Fraction = 0.0
    """Brightness, contrast and saturation are scaled by a factor between 1 minus and 1 plus this."""
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    hue: Annotated[float, at.Ge(0), at.Le(0.5)] = 0.0
    """The hue is turned by a share of the colour circle between minus and plus this."""

    @property
    def recolours(self) -> bool:
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    def changing(self) -> list[str]:
        """The options that make a frame look different from one time to the next."""
        plain = PictureConfig(random_crop=False)
        return [name for name in PictureConfig.model_fields if getattr(self, name) != getattr(plain, name)]


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
        size, resize = self.size, self.framing.resize
        if resize is None and min(frames.shape[2:]) < size:
            resize = size
        if resize is not None and not self.whole:
            frames = F.resize(frames, [resize], self.interpolation, antialias=True)
        if not self.training:
            return self._squeezed(frames) if self.whole else self._cropped(frames, place)
        draw = np.random.default_rng(seed)
        most = self.config.rotate_degrees
        degrees = draw.uniform(-most, most) if most else None
        flipped = draw.random() < self.config.flip_probability
        if self.config.smallest_crop < 1 or self.whole:
            frames = frames if degrees is None else rotate(frames, degrees)
            frames = frames.flip(-1) if flipped else frames
            squeeze = self.config.smallest_crop == 1
            frames = self._squeezed(frames) if squeeze else self._resized_crop(frames, draw)
        else:
            frames = self._square(frames, degrees, flipped, draw)
        return self._recolour(frames, seed)

    def _squeezed(self, frames: Tensor) -> Tensor:
        return F.resize(frames, [self.size] * 2, self.interpolation, antialias=True)

    def _corner(self, frames: Tensor, place: tuple[float, float]) -> tuple[int, int]:
        """Where a crop at this place begins."""
        top, left = (p * (length - self.size) for p, length in zip(place, frames.shape[2:], strict=True))
        return (int(top), int(left)) if self.framing.floors else (round(top), round(left))

    def _cropped(self, frames: Tensor, place: tuple[float, float]) -> Tensor:
        return F.crop(frames, *self._corner(frames, place), self.size, self.size)

    def _square(
        self, frames: Tensor, degrees: float | None, flipped: bool, draw: np.random.Generator
    ) -> Tensor:
        """A crop of the rotated and flipped frames. Only what it shows is rotated and flipped."""
        size = self.size
        height, width = frames.shape[2:]
        top, left = self._corner(frames, CENTRE)
        if self.config.random_crop:
            top, left = (int(draw.integers(length - size, endpoint=True)) for length in (height, width))
        if flipped:
            left = width - size - left
        box = (slice(top, top + size), slice(left, left + size))
        frames = frames[:, :, *box] if degrees is None else rotate(frames, degrees, *box)
        return frames.flip(-1) if flipped else frames

    def _resized_crop(self, frames: Tensor, draw: np.random.Generator) -> Tensor:
        """A part of random area, aspect and, unless crops are to be central, place, resized to the crop."""
        height, width = frames.shape[2:]
        area = draw.uniform(self.config.smallest_crop, 1) * height * width
        aspect = math.exp(draw.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        h = min(height, max(1, round(math.sqrt(area / aspect))))
        w = min(width, max(1, round(math.sqrt(area * aspect))))
        y, x = draw.random(2) if self.config.random_crop else CENTRE
        top, left = round(y * (height - h)), round(x * (width - w))
        return F.resized_crop(frames, top, left, h, w, [self.size] * 2, self.interpolation, antialias=True)

    def _recolour(self, frames: Tensor, seed: int) -> Tensor:
        augment = self.config
        if not augment.recolours:
            return frames
        draw = np.random.default_rng(derive_seed(seed, "colour"))
        for strength, adjust in (
            (augment.brightness, F.adjust_brightness),
            (augment.contrast, F.adjust_contrast),
            (augment.saturation, F.adjust_saturation),
        ):
            if strength:
                frames = adjust(frames, draw.uniform(1 - strength, 1 + strength))
        if augment.hue:
            frames = F.adjust_hue(frames, draw.uniform(-augment.hue, augment.hue))
        return frames


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
