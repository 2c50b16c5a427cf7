"""One complete, strict, typed configuration per run: the same object is file, command line and W&B record.

What decides a run's numbers is everything here but `runtime`, `tracking` and paths; see
mmvideo.runs.identity.
"""

from mmvideo.config.data import AugmentConfig, DataConfig, FeaturesConfig
from mmvideo.config.encoders import AudioConfig, TextConfig, VisualConfig
from mmvideo.config.run import RunConfig, load_config
from mmvideo.config.training import (
    AS_LONG_AS_NEEDED,
    ModalityDropout,
    NamedConfig,
    PadTo,
    RuntimeConfig,
    TrackingConfig,
    TrainConfig,
)
from mmvideo.schema import Fraction, Option, Part, Positive, PositiveFloat, explain

__all__ = [
    "AS_LONG_AS_NEEDED",
    "AudioConfig",
    "AugmentConfig",
    "DataConfig",
    "FeaturesConfig",
    "Fraction",
    "ModalityDropout",
    "NamedConfig",
    "Option",
    "PadTo",
    "Part",
    "Positive",
    "PositiveFloat",
    "RunConfig",
    "RuntimeConfig",
    "TextConfig",
    "TrackingConfig",
    "TrainConfig",
    "VisualConfig",
    "explain",
    "load_config",
]
