"""The random change of a clip's pictures in training: one draw for all frames, replayable from its seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import annotated_types as at
import numpy as np

from mmvideo.schema import Fraction, Part, added
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

    def corner(self, height: int, width: int, place: tuple[float, float] = CENTRE) -> tuple[int, int]:
        """Top and left of a crop that lies between (0, 0), top left, and (1, 1), bottom right."""
        top, left = (p * (length - self.size) for p, length in zip(place, (height, width), strict=True))
        return (int(top), int(left)) if self.floors else (round(top), round(left))


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
    on_device: bool = added(False, before=False)
    """Change a whole batch at once where the model computes, in place of each clip where it is loaded: the
    same draws, and the same pictures but for rounding. For GPUs that wait for their loader."""

    @property
    def recolours(self) -> bool:
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    def changing(self) -> list[str]:
        """The options that make a frame look different from one time to the next."""
        plain = PictureConfig(random_crop=False, on_device=self.on_device)
        return [name for name in PictureConfig.model_fields if getattr(self, name) != getattr(plain, name)]


@dataclass(frozen=True)
class Change:
    """What is done to all frames of a clip, in this order."""

    height: int
    width: int
    """Pixels of the frames."""
    degrees: float | None
    """Counter-clockwise about the centre, black where nothing was."""
    flipped: bool
    """Then left to right."""
    top: int
    left: int
    rows: int
    columns: int
    """Then cut out, and resized to the model's square where it is not of that size."""
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    """Then recoloured: factors, and a share of the colour circle."""


def draw_change(config: PictureConfig, framing: Framing, height: int, width: int, seed: int) -> Change:
    """A clip's change. The same seed gives the same draw for frames of the same size.

    Args:
        height, width: of frames that the square fits into, unless it is of the whole frame.
    """
    draw = np.random.default_rng(seed)
    most = config.rotate_degrees
    degrees = draw.uniform(-most, most) if most else None
    flipped = bool(draw.random() < config.flip_probability)
    if config.smallest_crop < 1:
        box = _resized_box(config, height, width, draw)
    elif framing.whole:
        box = (0, 0, height, width)
    else:
        top, left = framing.corner(height, width)
        if config.random_crop:
            top, left = (int(draw.integers(n - framing.size, endpoint=True)) for n in (height, width))
        box = (top, left, framing.size, framing.size)
    return Change(height, width, degrees, flipped, *box, *_colours(config, seed))


def _resized_box(
    config: PictureConfig, height: int, width: int, draw: np.random.Generator
) -> tuple[int, int, int, int]:
    """A part of random area, aspect and, unless crops are to be central, place."""
    area = draw.uniform(config.smallest_crop, 1) * height * width
    aspect = math.exp(draw.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
    rows = min(height, max(1, round(math.sqrt(area / aspect))))
    columns = min(width, max(1, round(math.sqrt(area * aspect))))
    y, x = draw.random(2) if config.random_crop else CENTRE
    return round(y * (height - rows)), round(x * (width - columns)), rows, columns


def _colours(config: PictureConfig, seed: int) -> tuple[float, float, float, float]:
    """Factors of brightness, contrast and saturation, and the share of the colour circle."""
    draw = np.random.default_rng(derive_seed(seed, "colour"))
    brightness, contrast, saturation = (
        draw.uniform(1 - strength, 1 + strength) if strength else 1.0
        for strength in (config.brightness, config.contrast, config.saturation)
    )
    return brightness, contrast, saturation, draw.uniform(-config.hue, config.hue) if config.hue else 0.0
