"""Pictures: stored frames, which of them a sample shows, how they are cropped and changed in training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import annotated_types as at
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.modalities.base import ClipSource, Window
from mmvideo.modalities.corruptions.pictures import CORRUPTIONS, DamagedPictures
from mmvideo.modalities.measured import Measure, MeasuredModality
from mmvideo.modalities.picture_batches import INTERPOLATIONS, PictureChanges
from mmvideo.modalities.picture_changes import CENTRE, Framing, PictureConfig
from mmvideo.modalities.pictures import ClipTransform
from mmvideo.schema import Positive
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Pending

WIDE = 3
"""Frames that are longer than so many times their shorter side are changed clip by clip: all of a batch's are
padded to its longest."""
Sampling = Literal["rate", "uniform", "segment", "dense"]
CROPS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.5, 0.5),),
    3: ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)),
    5: ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
}
"""Number of crops → their places, (0, 0) top left and (1, 1) bottom right. Three crops are as high as the
frame, or as wide: only the place along its longer side tells them apart (Feichtenhofer et al., 2019,
https://arxiv.org/abs/1812.03982). Five are the centre and the corners."""


@dataclass(frozen=True)
class Pictures:
    """What an encoder of pictures has to be given: squares of `size` pixels."""

    size: int = 0
    """0: what `framing_of` says."""
    unchanging: bool = False
    """Each frame the same whenever it is asked for, since what was made of it is kept."""
    in_views: bool = False
    """What was made of each frame is kept in several changes of training, and once as in evaluation."""
    whole: bool = False
    """All of each frame, squeezed into the square; else a crop."""
    measure: Measure | None = None
    """What of the pictures is measured on the training clips, and told to the encoder."""
    framing_of: Callable[[], Framing] | None = None
    """Reads it off a pretrained model's files, when clips are read: a configuration can be read without
    them."""

    def framing(self) -> Framing:
        """How the squares are made of frames."""
        return Framing(self.size, self.whole) if self.framing_of is None else self.framing_of()


class Visual(MeasuredModality):
    """Frames as the store has them → uint8 pictures (N, 3, size, size)."""

    kind: ClassVar[str] = "visual"
    default_encoder: ClassVar[str] = "cnn_lstm"
    corruptions = CORRUPTIONS

    class Config(PictureConfig, MeasuredModality.Config):
        """Which frames are stored and shown, and how they are changed in training."""

        frame_size: Positive = 64
        """Short side in pixels at which frames are stored."""
        frame_codec: Literal["raw", "jpeg"] = "raw"
        """How the store keeps frames: as they are, or as JPEG pictures (smaller, slower to read, not
        exact)."""
        jpeg_quality: Annotated[int, at.Ge(1), at.Le(100)] = 90
        """Quality of those pictures."""
        sampling: Sampling = "rate"
        """Which of a window's stored frames are used. `rate`: all. `uniform`: `frames` of them, evenly
        spread.
        `segment`: one from each of `frames` equal parts, in training at random (TSN, Wang et al., 2016,
        https://arxiv.org/abs/1608.00859). `dense`: `frames` of them, each `frame_stride` after the last."""
        frames: Positive = 8
        frame_stride: Positive = 1
        eval_crops: Literal[1, 3, 5] = 1
        """Crops of each window in evaluation, averaged too: the centre; three along the longer side; the
        centre and the four corners."""

        @property
        def changes_frames(self) -> list[str]:
            """The options for which a frame is more than its centre crop."""
            return [*self.changing(), *(["eval_crops"] if self.eval_crops > 1 else [])]

    def __init__(self, config: Config, name: str, needs: Pictures, frame_rate: float) -> None:
        super().__init__(config, name, needs, frame_rate)
        self.variants = config.eval_crops
        self.framing = needs.framing()
        try:
            self.check(config, replace(needs, size=self.framing.size, whole=self.framing.whole))
        except ValueError as error:
            raise InputError(f"inputs.{name}: {error}") from error
        if config.on_device and self.framing.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"inputs.{name}: the encoder's preprocessing resizes by {self.framing.interpolation}, and "
                f"on_device knows {' and '.join(INTERPOLATIONS)}; leave on_device out"
            )
        self.transforms = {on: ClipTransform(config, self.framing, training=on) for on in (True, False)}

    @classmethod
    def check(cls, config: Config, needs: Pictures) -> None:
        if needs.size > config.frame_size:
            raise ValueError(
                f"the encoder's picture_size {needs.size} is larger than frame_size {config.frame_size}, at "
                "which frames are stored; lower the one or raise the other"
            )
        if needs.whole and config.eval_crops > 1:
            raise ValueError(f"the encoder sees whole frames, so there are no {config.eval_crops} eval_crops")
        if needs.in_views and config.eval_crops > 1:
            raise ValueError(
                f"the encoder's `views` keep one crop of a frame for evaluation, and eval_crops is "
                f"{config.eval_crops}; leave it at 1, or views at 0"
            )
        changing = config.changes_frames
        if needs.unchanging and changing:
            raise ValueError(
                "the encoder's `cached` keeps the features of each frame's centre crop, which would be wrong "
                f"with {', '.join(changing)}; switch off one or the other"
            )

        if config.on_device and (needs.unchanging or needs.in_views):
            raise ValueError(
                "the encoder keeps what it makes of frames, so training reads none that could be changed on "
                "the device; leave on_device out"
            )

    @classmethod
    def store_settings(cls, config: Config, needs: Pictures) -> dict[str, Any]:
        names = ("frame_size", "frame_codec", "jpeg_quality")
        return {name: getattr(config, name) for name in names}

    def where(self, source: ClipSource) -> frozenset[str]:
        return frozenset(name for name, had in source.stored.items() if "visual" in had)

    def longest(self, seconds: float) -> int | None:
        if self.encoded is not None:
            return None
        shown = math.ceil(seconds * self.frame_rate)
        return shown if self.config.sampling == "rate" else min(shown, self.config.frames)

    def damaged(self, clip: Clip, stored: OpenClip) -> tuple[Clip, OpenClip]:
        return clip, stored if self.damage is None else DamagedPictures.over(stored, self.damage, clip)

    def squares(self, frames: Tensor, clip: Clip) -> Tensor:
        """Frames of a clip (T, 3, H, W) as a model sees them that encodes it ahead, (T, 3, size, size)."""
        return self.transforms[self.view is not None](frames, self.view_draw(clip))

    def varies(self) -> bool:
        # pictures that are changed at random, or so many that memory is better spent on smaller things
        return self.encoded is None or self.config.sampling in ("segment", "dense")

    def read(self, clip: Clip, stored: OpenClip, window: Window, *, training: bool) -> tuple[Tensor, Tensor]:
        inside = self.inside(stored.clip.frame_times, stored, window, training=training)
        times = torch.from_numpy((stored.clip.frame_times[inside] - window.start).astype(np.float32))
        if not len(inside):
            side = self.framing.size
            return torch.zeros(0, 3, side, side, dtype=torch.uint8), torch.zeros(0)
        frames = torch.from_numpy(stored.frames(inside)).permute(0, 3, 1, 2)
        variant = window.view.variant
        place = CENTRE if variant is None else CROPS[self.config.eval_crops][variant]
        if training and self.on_device:
            return self.transforms[True].fitting(frames), times
        return self.transforms[training](frames, window.draw, place), times

    @property
    def on_device(self) -> bool:
        """Whether frames are changed in training after they are read."""
        return bool(self.config.on_device) and self.encoded is None

    def changing(self) -> list[str]:
        return self.config.changing() if self.encoded is None else []

    def pending(self, values: Tensor, window: Window) -> tuple[Tensor, Pending] | None:
        if not self.on_device:
            return None
        transform = self.transforms[True]
        if not len(values):
            return values, PictureChanges.of(None, self.config, self.framing)
        change = transform.draw(values, window.draw)
        if max(change.height, change.width) > WIDE * min(change.height, change.width):
            return transform.changed(values, change), PictureChanges.of(None, self.config, self.framing)
        return values, PictureChanges.of(change, self.config, self.framing)

    def inside(
        self, times: NDArray[np.float64], stored: OpenClip, window: Window, *, training: bool
    ) -> NDArray[np.intp]:
        """Which frames, or what was made of them, the sample shows."""
        config, inside = self.config, super().inside(times, stored, window, training=training)
        if len(times) and not len(inside):  # a piece between two vectors of several frames each
            shown = super().inside(stored.clip.frame_times, stored, window, training=training)
            middle = window.start + window.length / 2
            return np.array([np.abs(times - middle).argmin()]) if len(shown) else inside
        if config.sampling == "rate":
            return inside
        chosen = choose_frames(
            len(inside),
            config.sampling,
            config.frames,
            config.frame_stride,
            draw=np.random.default_rng(derive_seed(window.draw, "frames")) if training else None,
            share=window.view.window,
        )
        return inside[chosen]


def choose_frames(
    available: int,
    how: Sampling,
    frames: int,
    stride: int,
    *,
    draw: np.random.Generator | None = None,
    share: float = 0.5,
) -> NDArray[np.intp]:
    """Which of a window's `available` stored frames are used: increasing indices, none twice.

    Args:
        how: `rate` takes all; `uniform` the middle ones of `frames` equal parts; `segment` the same, or with
            `draw` a random one of each part; `dense` takes `frames` of them, `stride` apart.
        frames: how many; where there are fewer, fewer are taken.
        draw: random places, as in training. None: fixed ones.
        share: without `draw`, where dense frames lie: 0 at the window's start, 1 at its end.
    """
    if how == "rate" or not available:
        return np.arange(available)
    if how == "dense":
        count = min(frames, (available - 1) // stride + 1)
        spare = available - ((count - 1) * stride + 1)
        first = int(draw.integers(spare, endpoint=True)) if draw else round(share * spare)
        return first + stride * np.arange(count)
    edges = np.arange(min(frames, available) + 1) * available // min(frames, available)
    if how == "segment" and draw:
        return draw.integers(edges[:-1], edges[1:]).astype(np.intp)
    return (edges[:-1] + edges[1:]) // 2
