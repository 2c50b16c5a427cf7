"""Augmentation of clips in training: one draw for all frames of a clip, replayable from (seed, epoch, clip)."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2

from mmvideo.config import DataConfig


class ClipTransform:
    """Rotate, flip and crop (T, 3, H, W) uint8 frames; in evaluation, only the centre crop.

    Frames smaller than the crop are first resized so that the crop fits.
    """

    def __init__(self, config: DataConfig, *, training: bool) -> None:
        self.size = config.crop_size
        steps: list[torch.nn.Module] = []
        if training and config.rotate_degrees:
            steps.append(v2.RandomRotation(config.rotate_degrees, interpolation=v2.InterpolationMode.BILINEAR))
        if training and config.flip_probability:
            steps.append(v2.RandomHorizontalFlip(config.flip_probability))
        steps.append(v2.RandomCrop(self.size) if training and config.random_crop else v2.CenterCrop(self.size))
        self.apply = v2.Compose(steps)

    def __call__(self, frames: Tensor, seed: int) -> Tensor:
        """The same seed gives the same draw."""
        if min(frames.shape[2:]) < self.size:
            frames = v2.functional.resize(frames, [self.size], antialias=True)
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            return self.apply(frames)
