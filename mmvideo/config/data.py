"""Which clips a run reads, how they are sampled, and how training samples are changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import annotated_types as at
from pydantic import model_validator

from mmvideo.schema import Fraction, Part, Positive, PositiveFloat
from mmvideo.vocabulary import TaskKind


class AugmentConfig(Part):
    """Random changes to training samples, each drawn from (seed, epoch, clip). All are off by default."""

    smallest_crop: Annotated[float, at.Gt(0), at.Le(1)] = 1.0
    """Crops take a share of the frame's area between this and 1, at an aspect of 3:4 to 4:3, and are resized
    to `crop_size` (Szegedy et al., 2015, https://arxiv.org/abs/1409.4842). 1: squares of `crop_size`."""
    brightness: Fraction = 0.0
    """Brightness, contrast and saturation are scaled by a factor between 1 minus and 1 plus this."""
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    hue: Annotated[float, at.Ge(0), at.Le(0.5)] = 0.0
    """The hue is turned by a share of the colour circle between minus and plus this."""
    shift_seconds: Annotated[float, at.Ge(0)] = 0.0
    """The sound is moved against the other modalities by a time between minus and plus this."""
    gain_db: Annotated[float, at.Ge(0)] = 0.0
    """The sound is made louder by between minus and plus this."""
    noise_probability: Fraction = 0.0
    """Chance of white noise on the sound."""
    redraw_noise: bool = False
    """The noise of `data.audio_snr_db` is another one in each epoch of training, so that it cannot be learnt
    by heart; in evaluation a clip keeps its own."""
    noise_snr_db: tuple[float, float] = (0.0, 20.0)
    """Range of the signal-to-noise ratio at which that noise is added."""
    word_dropout: Annotated[float, at.Ge(0), at.Lt(1)] = 0.0
    """Chance of each word to be left out (Iyyer et al., 2015, https://aclanthology.org/P15-1162)."""

    @property
    def changes_sound(self) -> bool:
        """Whether a window's sound is changed at all."""
        return bool(self.shift_seconds or self.gain_db or self.noise_probability)

    @model_validator(mode="after")
    def _range_in_order(self) -> Self:
        if self.noise_snr_db[0] > self.noise_snr_db[1]:
            raise ValueError(f"noise_snr_db is a range, lowest first; got {self.noise_snr_db}")
        return self


class FeaturesConfig(Part):
    """How precomputed features (the encoders called `features`) are read."""

    standardize: bool = True
    """Shift and scale each dimension by its mean and standard deviation over the training split."""
    non_finite: Literal["error", "zero"] = "error"
    """What NaN and infinite values become. `error`: the work stops and names them."""


class DataConfig(Part):
    """Which clips, how they are sampled once into the store, and how a sample is drawn from it."""

    manifest: str = "data/planted/mixed/manifest.jsonl"
    """The list of clips (JSON Lines; see mmvideo.clips.manifest)."""
    task: TaskKind = "single_label"
    """What a clip's label is: one class, any number of classes, or a number."""
    store: str = "data/store"
    """Folder of decoded clips, shared by all runs."""
    frame_rate: PositiveFloat = 8.0
    """Frames sampled per second of video."""
    frame_size: Positive = 64
    """Short side in pixels at which frames are stored."""
    sampling: Literal["rate", "uniform", "segment", "dense"] = "rate"
    """Which of a window's stored frames are used. `rate`: all. `uniform`: `frames` of them, evenly spread.
    `segment`: one from each of `frames` equal parts, in training at random (TSN, Wang et al., 2016,
    https://arxiv.org/abs/1608.00859). `dense`: `frames` of them, each `frame_stride` after the last."""
    frames: Positive = 8
    frame_stride: Positive = 1
    eval_views: Positive = 1
    """Windows spread over the clip in evaluation, whose predicted probabilities are averaged."""
    eval_crops: Literal[1, 3, 5] = 1
    """Crops of each window in evaluation, averaged too: the centre; three along the longer side; the centre
    and the four corners."""
    frame_codec: Literal["raw", "jpeg"] = "raw"
    """How the store keeps frames: as they are, or as JPEG pictures (smaller, slower to read, not exact)."""
    jpeg_quality: Annotated[int, at.Ge(1), at.Le(100)] = 90
    """Quality of those pictures."""
    max_seconds: PositiveFloat = 1.0
    """Longer clips are cut to a window of this length: at random in training, the middle in evaluation."""
    sample_rate: Positive = 16000
    """Audio samples per second (mono)."""
    hop_seconds: PositiveFloat = 0.01
    """Seconds of audio per item, which is one column of the spectrogram."""
    crop_size: Positive = 56
    """Side in pixels of the square the model sees."""
    random_crop: bool = True
    """In training, crop at a random place (one draw for all frames of a clip); else at the centre."""
    flip_probability: Fraction = 0.0
    """Chance of a horizontal flip in training. Leave 0 where direction is part of the label."""
    rotate_degrees: Annotated[float, at.Ge(0), at.Le(180)] = 0.0
    """In training, rotate by an angle drawn between minus and plus this."""
    augment: AugmentConfig = AugmentConfig()
    """Further random changes to training samples."""
    audio_snr_db: float | None = None
    """White noise added to every clip's sound, in every split, at this signal-to-noise ratio: a corruption of
    the data, the same for every run and seed. None: the sound as it is."""
    normalization: Literal["unit", "symmetric", "imagenet"] = "symmetric"
    """Pixel range: [0, 1], [-1, 1], or ImageNet's mean and standard deviation."""
    features: FeaturesConfig = FeaturesConfig()
    """For modalities whose encoder reads the manifest's precomputed features."""
    max_tokens: Positive = 48
    """Word pieces kept per clip."""
    vocabulary_size: Positive = 1024
    """Size of the tokenizer trained on the training split's words."""
    metadata_fields: tuple[str, ...] = ()
    """Metadata of the clip (title, tags …) read as text before the subtitles, one after another."""
    text_template: str | None = None
    """Or the sentence they are put into, such as "{title}. {tags}"."""
    decode_time_limit: PositiveFloat = 60.0
    """Seconds a worker may take for one clip before it is ended and the clip listed as failed."""
    max_failed_share: Fraction = 0.02
    """Share of clips that may fail to decode before the work stops."""

    @property
    def hop(self) -> int:
        """Audio samples per item."""
        return max(1, round(self.hop_seconds * self.sample_rate))

    @model_validator(mode="after")
    def _one_way_to_read_metadata(self) -> Self:
        if self.metadata_fields and self.text_template is not None:
            raise ValueError("give metadata_fields or text_template, not both: a template names its fields")
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop_size > self.frame_size:
            raise ValueError(
                f"crop_size {self.crop_size} is larger than frame_size {self.frame_size}; lower one of them"
            )
        return self
