"""Frames as tiny pictures: an encoder that has next to nothing to learn."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import ClassVar, Literal

from mmvideo.encoders.base import Encoder
from mmvideo.encoders.features import FeatureLstm
from mmvideo.modalities.plain import BesideSummary, beside_summary, pixels_and_change
from mmvideo.modalities.visual import Pictures
from mmvideo.schema import Positive, added
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import Level


class Pixels(FeatureLstm):
    """Stem: each whole frame's pixels at 16×16 and their change since the frame before, standardised and
    projected.

    With `summary` it holds what the floor of `mmvideo.evaluation.floor` holds of pictures. Inputs are uint8
    frames (B, T, 3, side, side).

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
        summary: bool = added(False, before=False)
        """Whether each vector stands beside the clip's mean and deviation, by which clips differ more than by
        single vectors: with few clips, a model does not find these by itself."""

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        measure = BesideSummary(pixels_and_change) if config.summary else pixels_and_change
        return Pictures(config.side, whole=True, measure=measure)

    def __init__(self, config: Config, told: FeatureInput, width: int, levels: Set[Level]) -> None:
        longest = told.longest if config.trunk == "lstm" else 1
        super().__init__(config, replace(told, longest=longest), width, levels)

    def stem(self, inputs: Tokens) -> Tokens:
        values = pixels_and_change(inputs.values)
        if self.config.summary:
            values = beside_summary(values, inputs.mask)
        return super().stem(inputs.replace_values(values))
