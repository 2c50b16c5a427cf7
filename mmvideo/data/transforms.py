"""Augmentation of clips in training: one draw for all frames, replayable from (seed, epoch, clip)."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mmvideo.config import DataConfig
from mmvideo.seeding import derive_seed

ASPECTS = (3 / 4, 4 / 3)
"""Least and greatest width to height of a resized crop, as is usual for ImageNet."""
CENTRE = (0.5, 0.5)


class ClipTransform:
    """Rotate, flip, crop and recolour (T, 3, H, W) uint8 frames; in evaluation, only crop.

    Frames smaller than the crop are first resized so that the crop fits.
    """

    def __init__(self, config: DataConfig, *, training: bool) -> None:
        self.config, self.training = config, training

    def __call__(self, frames: Tensor, seed: int, place: tuple[float, float] = CENTRE) -> Tensor:
        """The same seed gives the same draw. (T, 3, crop_size, crop_size).

        Args:
            place: where an evaluation crop lies, from (0, 0) at the top left to (1, 1) at the bottom right.
        """
        size = self.config.crop_size
        if min(frames.shape[2:]) < size:
            frames = F.resize(frames, [size], antialias=True)
        if not self.training:
            return _crop(frames, size, place)
        draw = np.random.default_rng(seed)
        if self.config.rotate_degrees:
            angle = draw.uniform(-self.config.rotate_degrees, self.config.rotate_degrees)
            frames = F.rotate(frames, angle, interpolation=InterpolationMode.BILINEAR)
        if draw.random() < self.config.flip_probability:
            frames = F.horizontal_flip(frames)
        return self._recolour(self._training_crop(frames, draw), derive_seed(seed, "colour"))

    def _training_crop(self, frames: Tensor, draw: np.random.Generator) -> Tensor:
        size = self.config.crop_size
        if self.config.augment.smallest_crop < 1:
            return self._resized_crop(frames, draw)
        if not self.config.random_crop:
            return _crop(frames, size, CENTRE)
        height, width = frames.shape[2:]
        top, left = draw.integers(height - size, endpoint=True), draw.integers(width - size, endpoint=True)
        return F.crop(frames, int(top), int(left), size, size)

    def _resized_crop(self, frames: Tensor, draw: np.random.Generator) -> Tensor:
        """A part of random area, aspect and, unless crops are to be central, place, resized to the crop."""
        height, width = frames.shape[2:]
        area = draw.uniform(self.config.augment.smallest_crop, 1) * height * width
        aspect = math.exp(draw.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        h = min(height, max(1, round(math.sqrt(area / aspect))))
        w = min(width, max(1, round(math.sqrt(area * aspect))))
        y, x = draw.random(2) if self.config.random_crop else CENTRE
        top, left = round(y * (height - h)), round(x * (width - w))
        return F.resized_crop(frames, top, left, h, w, [self.config.crop_size] * 2, antialias=True)

    def _recolour(self, frames: Tensor, seed: int) -> Tensor:
        augment = self.config.augment
        draw = np.random.default_rng(seed)
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


def _crop(frames: Tensor, size: int, place: tuple[float, float]) -> Tensor:
    top, left = (round(p * (length - size)) for p, length in zip(place, frames.shape[2:], strict=True))
    return F.crop(frames, top, left, size, size)
