"""Damage to pictures: one draw for all frames of a clip, whatever frames are asked for.

Severities after ImageNet-C (Hendrycks & Dietterich 2019), as shares of the frame's size and of the pixels'
range, so that they mean the same at any size at which frames are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torchvision.transforms.v2 import functional as F

from mmvideo.clips.manifest import Clip
from mmvideo.modalities.corruptions import Corruption, Damage
from mmvideo.store.clip_format import OpenClip

Frames = UInt8[ndarray, "n H W 3"]
Take = Callable[[Int[ndarray, " n"]], Frames]
"""Gives a clip's frames at ascending indices."""
GREY = 127


def gaussian_noise(
    take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator
) -> Frames:
    """Noise of a standard deviation of `level`, of the pixels' range: one pattern that all frames have."""
    frames = take(indices)
    noise = 255 * level * draw.standard_normal(frames.shape[1:])
    return np.clip(np.round(frames + noise), 0, 255).astype(np.uint8)


def blur(take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator) -> Frames:
    """Gaussian blur; `level` is its standard deviation as a share of the shorter side."""
    frames = _channels_first(take(indices))
    sigma = level * min(frames.shape[2:])
    width = 2 * min(int(np.ceil(3 * sigma)), min(frames.shape[2:]) - 1) + 1  # no more can be reflected
    return _channels_last(F.gaussian_blur(frames, [width, width], [sigma, sigma]))


def contrast(take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator) -> Frames:
    """Differences to middle grey are left at `level` of what they are."""
    return np.round(GREY + level * (take(indices).astype(np.float32) - GREY)).astype(np.uint8)


def occlusion(take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator) -> Frames:
    """A grey rectangle over `level` of the area, in one place for all frames; a larger holds a smaller."""
    frames = take(indices).copy()
    sides = np.array(frames.shape[1:3])
    covered = np.round(sides * np.sqrt(level)).astype(int)
    top, left = np.round(draw.random(2) * (sides - covered)).astype(int)
    frames[:, top : top + covered[0], left : left + covered[1]] = GREY
    return frames


def jpeg(take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator) -> Frames:
    """Compressed as JPEG at quality `level`, from 100 down."""
    return _channels_last(
        torch.stack([F.jpeg(frame, int(level)) for frame in _channels_first(take(indices))])
    )


def frame_rate(take: Take, indices: Int[ndarray, " n"], level: float, draw: np.random.Generator) -> Frames:
    """One of `level` stored frames is left, and shown until the next."""
    held = indices - indices % int(level)
    kept, place = np.unique(held, return_inverse=True)
    return take(kept)[place]


def _channels_first(frames: Frames) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def _channels_last(frames: torch.Tensor) -> Frames:
    return frames.permute(0, 2, 3, 1).numpy()


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(gaussian_noise, (0.04, 0.08, 0.14, 0.22, 0.35), "of the range"),
    "blur": Corruption(blur, (0.015, 0.025, 0.04, 0.065, 0.1), "of the side"),
    "contrast": Corruption(contrast, (0.7, 0.5, 0.35, 0.2, 0.1), "left"),
    "occlusion": Corruption(occlusion, (0.1, 0.2, 0.3, 0.45, 0.6), "of the area"),
    "jpeg": Corruption(jpeg, (40, 20, 10, 5, 2), "quality"),
    "frame_rate": Corruption(frame_rate, (2, 3, 4, 6, 12), "times fewer frames"),
}


@dataclass(frozen=True, eq=False)
class DamagedPictures(OpenClip):
    """A stored clip whose frames are damaged as they are read."""

    damage: Damage
    of: Clip

    @classmethod
    def over(cls, stored: OpenClip, damage: Damage, of: Clip) -> DamagedPictures:
        return cls(stored.clip, stored._path, stored._file, damage, of)

    def frames(self, indices: ndarray) -> ndarray:
        if not len(indices):
            return super().frames(indices)
        damaged: ndarray = self.damage.apply(self.of, super().frames, indices)
        return damaged
