"""Columns of MFCC: an encoder that has next to nothing to learn."""

from __future__ import annotations

from typing import ClassVar

from mmvideo.encoders.plain import PlainEncoder, PlainVectors
from mmvideo.layers.pooling import ClipPool
from mmvideo.modalities.audio import Sound
from mmvideo.modalities.plain import Mfcc
from mmvideo.schema import Positive, PositiveFloat, added


class MfccColumns(PlainEncoder):
    """Stem: 40 MFCC of each hop, standardised and projected.

    With `summary` and `parts` it holds what the floor of `mmvideo.evaluation.floor` holds of sound. Inputs
    are waveforms cut into items of `hop` samples, (B, N, hop) float in [-1, 1], or with `cached` their
    columns.
    """

    takes: ClassVar[str] = "audio"

    class Config(PlainEncoder.Config):
        """The coefficients, and what stands on them."""

        sample_rate: Positive = 16000
        """Audio samples per second (mono)."""
        hop_seconds: PositiveFloat = 0.02
        """Seconds of audio per item, which is one column."""
        coefficients: Positive = 40
        clip_pool: ClipPool = added("segments", before="attention")
        """How the columns become one vector: masked mean, additive attention over them, or the means of
        twelve parts of the clip. Only parts keep their order: a column knows none of the others."""

    @classmethod
    def plain(cls, config: Config) -> PlainVectors:
        mfcc = Mfcc(config.sample_rate, _hop(config), config.coefficients)
        return PlainVectors(mfcc, config.parts, config.summary)

    @classmethod
    def needs(cls, config: Config) -> Sound:
        return Sound(config.sample_rate, _hop(config), cls.plain(config), unchanging=config.cached)


def _hop(config: MfccColumns.Config) -> int:
    return max(1, round(config.hop_seconds * config.sample_rate))
