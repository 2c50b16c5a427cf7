"""Columns of MFCC: an encoder that has next to nothing to learn."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import ClassVar, Literal

from mmvideo.encoders.base import Encoder
from mmvideo.encoders.features import FeatureLstm
from mmvideo.modalities.audio import Sound
from mmvideo.modalities.plain import BesideSummary, Mfcc, beside_summary
from mmvideo.schema import Positive, PositiveFloat, added
from mmvideo.types import FeatureInput, Tokens
from mmvideo.vocabulary import Level


class MfccColumns(FeatureLstm):
    """Stem: 40 MFCC of each hop, standardised and projected.

    With `summary` it holds what the floor of `mmvideo.evaluation.floor` holds of sound. Inputs are waveforms
    cut into items of `hop` samples, (B, N, hop) float in [-1, 1].

    Args:
        told: mean and deviation of each coefficient over the training clips; they are kept in the weights.
    """

    takes: ClassVar[str] = "audio"

    class Config(Encoder.Config):
        """The coefficients, and what stands on them."""

        sample_rate: Positive = 16000
        """Audio samples per second (mono)."""
        hop_seconds: PositiveFloat = 0.02
        """Seconds of audio per item, which is one column."""
        coefficients: Positive = 40
        trunk: Literal["none", "lstm"] = "none"
        """Whether an LSTM's states are added to the stem."""
        summary: bool = added(False, before=False)
        """Whether each vector stands beside the clip's mean and deviation, by which clips differ more than by
        single vectors: with few clips, a model does not find these by itself."""

    @classmethod
    def needs(cls, config: Config) -> Sound:
        hop = max(1, round(config.hop_seconds * config.sample_rate))
        mfcc = Mfcc(config.sample_rate, hop, config.coefficients)
        return Sound(config.sample_rate, hop, BesideSummary(mfcc) if config.summary else mfcc)

    def __init__(self, config: Config, told: FeatureInput, width: int, levels: Set[Level]) -> None:
        longest = told.longest if config.trunk == "lstm" else 1
        super().__init__(config, replace(told, longest=longest), width, levels)
        hop = self.needs(config).hop
        self.mfcc = Mfcc(config.sample_rate, hop, config.coefficients)

    def stem(self, inputs: Tokens) -> Tokens:
        hops = inputs.values.masked_fill(~inputs.mask[..., None], 0.0)
        values = self.mfcc(hops)
        if self.config.summary:
            values = beside_summary(values, inputs.mask)
        return super().stem(inputs.replace_values(values))
