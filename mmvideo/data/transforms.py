"""Augmentation of clips in training: one draw for all frames, replayable from (seed, epoch, clip)."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mmvideo.config import DataConfig


class ClipTransform:
    """Rotate, flip and crop (T, 3, H, W) uint8 frames; in evaluation, only the centre crop.

    Frames smaller than the crop are first resized so that the crop fits.
    """

    def __init__(self, config: DataConfig, *, training: bool) -> None:
        self.config, self.training = config, training

    def __call__(self, frames: Tensor, seed: int) -> Tensor:
        """The same seed gives the same draw. (T, 3, crop_size, crop_size)."""
        size = self.config.crop_size
        if min(frames.shape[2:]) < size:
            frames = F.resize(frames, [size], antialias=True)
        if not self.training:
            return F.center_crop(frames, [size, size])
        draw = np.random.default_rng(seed)
        if self.config.rotate_degrees:
            angle = draw.uniform(-self.config.rotate_degrees, self.config.rotate_degrees)
            frames = F.rotate(frames, angle, interpolation=InterpolationMode.BILINEAR)
        if draw.random() < self.config.flip_probability:
            frames = F.horizontal_flip(frames)
        if not self.config.random_crop:
            return F.center_crop(frames, [size, size])
        height, width = frames.shape[2:]
        top, left = draw.integers(height - size, endpoint=True), draw.integers(width - size, endpoint=True)
        return F.crop(frames, int(top), int(left), size, size)
