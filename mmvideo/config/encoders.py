"""The encoders: one section a modality."""

from __future__ import annotations

from typing import Annotated, Literal

import annotated_types as at

from mmvideo.schema import Fraction, Part, Positive

ClipPool = Literal["mean", "attention", "segments"]


class VisualConfig(Part):
    """Frames → CNN per frame (stem) → LSTM (trunk) → masked pooling (clip)."""

    name: str = "cnn_lstm"
    backbone: str = "small"
    """`small` (from scratch), or a torchvision classification model such as `resnet18`."""
    weights: str | None = None
    """For a torchvision backbone: `DEFAULT`, a weights name or a state-dict file. None: from scratch."""
    frozen: bool = False
    """Leave the backbone as loaded; only what stands on it is trained."""
    cached: bool = False
    """Compute the frozen backbone's features once, keep them in the store and read them instead of frames.
    Only without augmentation of frames. FLOPs and latency are then those of what stands on the features."""
    pool: Literal["max", "average"] = "max"
    """Pooling inside and at the end of the small CNN."""
    channels: tuple[Positive, ...] = (24, 48, 64)
    """Widths of the small CNN's stages; each halves the resolution."""
    clip_pool: ClipPool = "attention"
    """How the trunk becomes one vector: masked mean, additive attention over the frames, or the means of
    twelve parts of the clip, which keep *when* something was seen."""
    dropout: Fraction = 0.1


class AudioConfig(Part):
    """Waveform → log-mel → CNN over patches (stem) → convolutions in time (trunk) → masked pooling (clip)."""

    name: str = "spectrogram_cnn"
    mel_bins: Positive = 64
    channels: tuple[Positive, ...] = (16, 32, 64)
    """Widths of the CNN's stages; each halves the frequency axis, the first two also halve time."""
    standardize: bool = False
    """Each mel band with mean 0 and standard deviation 1 over the clip: steady noise drops out."""
    trunk_layers: Positive = 2
    clip_pool: ClipPool = "attention"
    dropout: Fraction = 0.1
    time_masks: Annotated[int, at.Ge(0)] = 0
    """SpecAugment in training: how many stretches of time are blanked, each of up to `time_mask_columns`."""
    time_mask_columns: Positive = 20
    mel_masks: Annotated[int, at.Ge(0)] = 0
    """How many bands of frequency are blanked, each up to `mel_mask_bins` wide."""
    mel_mask_bins: Positive = 8


class TextConfig(Part):
    """Word pieces → embeddings (stem) → transformer (trunk) → masked pooling (clip)."""

    name: str = "transformer"
    model: str | None = None
    """None: a small BERT from scratch. Else any local folder or hub name transformers' AutoModel loads."""
    frozen: bool = False
    layers: Positive = 2
    heads: Positive = 4
    hidden: Positive = 64
    clip_pool: ClipPool = "attention"
    dropout: Fraction = 0.1
