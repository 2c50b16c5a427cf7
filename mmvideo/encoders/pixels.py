"""Frames as tiny pictures: an encoder that has next to nothing to learn."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import ClassVar, Literal

from mmvideo.encoders.base import Encoder
from mmvideo.encoders.features import FeatureLstm
from mmvideo.modalities.plain import pixels_and_change
from mmvideo.modalities.visual import Pictures
from mmvideo.schema import Positive
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import Level


class Pixels(FeatureLstm):
    """Stem: each whole frame's pixels at 16×16 and their change since the frame before, standardised and
    projected.

    It holds what the floor of `mmvideo.evaluation.floor` holds of pictures. Inputs are uint8 frames
    (B, T, 3, side, side).

    Args:
        told: mean and deviation of each number over the training clips; they are kept in the weights.
    """

    takes: ClassVar[str] = "visual"

    class Config(Encoder.Config):
        """Size of the pictures, and what stands on them."""

        side: Positive = 16
        """Side in pixels of the square that each frame is squeezed into."""
        trunk: Literal["none", "lstm"] = "none"
        """Whether an LSTM's states are added to the stem."""

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        return Pictures(config.side, whole=True, measure=pixels_and_change)

    def __init__(self, config: Config, told: FeatureInput, width: int, levels: Set[Level]) -> None:
        longest = told.longest if config.trunk == "lstm" else 1
        super().__init__(config, replace(told, longest=longest), width, levels)

    def stem(self, inputs: Tokens) -> Tokens:
        return super().stem(inputs.replace_values(pixels_and_change(inputs.values)))
