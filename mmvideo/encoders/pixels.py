"""Frames as tiny pictures: an encoder that has next to nothing to learn."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from mmvideo.encoders.ahead import Ahead
from mmvideo.encoders.plain import PlainEncoder, PlainVectors
from mmvideo.modalities.plain import pixels_and_change
from mmvideo.modalities.visual import Pictures
from mmvideo.schema import Positive


class Pixels(PlainEncoder):
    """Stem: each whole frame's pixels at 16×16 and their change since the frame before, standardised and
    projected.

    With `summary` and `parts` it holds what the floor of `mmvideo.evaluation.floor` holds of pictures. Inputs
    are uint8 frames (B, T, 3, side, side), or with `cached` their vectors.
    """

    takes: ClassVar[str] = "visual"

    class Config(PlainEncoder.Config):
        """Size of the pictures, and what stands on them."""

        side: Positive = 16
        """Side in pixels of the square that each frame is squeezed into."""

    @classmethod
    def plain(cls, config: Config) -> PlainVectors:
        return PlainVectors(pixels_and_change, config.parts, config.summary)

    @classmethod
    def encode_ahead(cls, config: Config, modality: Any, device: torch.device) -> Ahead | None:
        every_frame = modality.config.model_copy(update={"sampling": "rate"})  # windows choose among them
        return super().encode_ahead(
            config, type(modality)(every_frame, modality.name, modality.needs, modality.frame_rate), device
        )

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        return Pictures(config.side, unchanging=config.cached, whole=True, measure=cls.plain(config))
