"""One complete, strict, typed configuration per run: the same object is file, command line and W&B record.

A run's `signature` names what decides its numbers: everything here but `runtime`, `tracking` and paths.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

import annotated_types as at
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmvideo.words import MODALITIES, InputError, Modality

Option = bool | int | float | str
Fraction = Annotated[float, at.Ge(0), at.Le(1)]
Positive = Annotated[int, at.Gt(0)]
PositiveFloat = Annotated[float, at.Gt(0)]


class Part(BaseModel):
    """A strict, frozen piece of configuration. Unknown keys and wrong types are errors naming the field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_default=True)


class DataConfig(Part):
    """Which clips, how they are sampled once into the store, and how a sample is drawn from it."""

    manifest: str = "data/planted/mixed/manifest.jsonl"
    """The list of clips (JSON Lines; see mmvideo.data.manifest)."""
    store: str = "data/store"
    """Folder of decoded clips, shared by all runs."""
    frame_rate: PositiveFloat = 8.0
    """Frames sampled per second of video."""
    frame_size: Positive = 64
    """Short side in pixels at which frames are stored."""
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
    normalization: Literal["unit", "symmetric", "imagenet"] = "symmetric"
    """Pixel range: [0, 1], [-1, 1], or ImageNet's mean and standard deviation."""
    max_tokens: Positive = 48
    """Word pieces kept per clip."""
    vocabulary_size: Positive = 1024
    """Size of the tokenizer trained on the training split's words."""
    metadata_fields: tuple[str, ...] = ()
    """Metadata of the clip (title, tags …) read as text before the subtitles."""
    decode_time_limit: PositiveFloat = 60.0
    """Seconds a worker may take for one clip before it is ended and the clip listed as failed."""
    max_failed_share: Fraction = 0.02
    """Share of clips that may fail to decode before the work stops."""

    @property
    def hop(self) -> int:
        """Audio samples per item."""
        return max(1, round(self.hop_seconds * self.sample_rate))

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.crop_size > self.frame_size:
            raise ValueError(
                f"crop_size {self.crop_size} is larger than frame_size {self.frame_size}; lower one of them"
            )
        return self


class VisualConfig(Part):
    """Frames → CNN per frame (stem) → LSTM (trunk) → masked pooling (clip)."""

    name: str = "cnn_lstm"
    backbone: str = "small"
    """`small` (from scratch), or a torchvision classification model such as `resnet18`."""
    weights: str | None = None
    """For a torchvision backbone: `DEFAULT`, a weights name or a state-dict file. None: from scratch."""
    frozen: bool = False
    """Leave the backbone as loaded; only what stands on it is trained."""
    pool: Literal["max", "average"] = "max"
    """Pooling inside and at the end of the small CNN."""
    channels: tuple[Positive, ...] = (24, 48, 64)
    """Widths of the small CNN's stages; each halves the resolution."""
    clip_pool: Literal["mean", "attention"] = "attention"
    """How the trunk becomes one vector: masked mean, or additive attention over the frames."""
    dropout: Fraction = 0.1


class AudioConfig(Part):
    """Waveform → log-mel → CNN over patches (stem) → convolutions in time (trunk) → masked pooling (clip)."""

    name: str = "spectrogram_cnn"
    mel_bins: Positive = 64
    channels: tuple[Positive, ...] = (16, 32, 64)
    """Widths of the CNN's stages; each halves the frequency axis, the first two also halve time."""
    trunk_layers: Positive = 2
    clip_pool: Literal["mean", "attention"] = "attention"
    dropout: Fraction = 0.1


class TextConfig(Part):
    """Word pieces → embeddings (stem) → transformer (trunk) → masked pooling (clip)."""

    name: str = "transformer"
    model: str | None = None
    """None: a small BERT from scratch. Else any local folder or hub name transformers' AutoModel loads."""
    frozen: bool = False
    layers: Positive = 2
    heads: Positive = 4
    hidden: Positive = 64
    clip_pool: Literal["mean", "attention"] = "attention"
    dropout: Fraction = 0.1


class NamedConfig(Part):
    """A registered name (or your own "package.module:Class") and the options its class takes."""

    name: str
    options: dict[str, Option] = Field(default_factory=dict)


class TrainConfig(Part):
    """The optimisation: AdamW, a warm-up/stable/decay schedule, clipping, early stopping on validation."""

    epochs: Positive = 12
    batch_size: Positive = 32
    learning_rate: PositiveFloat = 1e-3
    weight_decay: Annotated[float, at.Ge(0)] = 0.01
    warmup: Fraction = 0.1
    """Share of all steps over which the learning rate rises from 0."""
    decay: Fraction = 0.3
    """Share of all steps, the last ones, over which it falls to 0."""
    clip_norm: PositiveFloat = 1.0
    """Largest gradient norm; longer gradients are scaled down to it."""
    patience: Positive = 12
    """Epochs without a better validation loss after which training stops."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"


class RuntimeConfig(Part):
    """How the work is carried out. Nothing here changes a number."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive = 1
    """CPU threads per run."""
    loader_workers: Annotated[int, at.Ge(0)] = 0
    """Processes that read the store beside the training process."""


class TrackingConfig(Part):
    """Where the mirror of a run goes. The run directory is the record."""

    wandb: bool = True
    project: str = "mmvideo"
    entity: str | None = None
    tags: tuple[str, ...] = ()


class RunConfig(Part):
    """Everything that decides a run. `config.json` holds this and alone re-runs the run."""

    study: str = "train"
    """The study the run belongs to (a W&B group)."""
    arm: str = "run"
    """The study's arm: runs that differ only in seed."""
    seed: Annotated[int, at.Ge(0)] = 0
    modalities: tuple[Modality, ...] = MODALITIES
    """Which modalities the model is given, in the order visual, audio, text."""
    width: Positive = 64
    """Width D in which every encoder ends and every fusion works."""
    data: DataConfig = DataConfig()
    visual: VisualConfig = VisualConfig()
    audio: AudioConfig = AudioConfig()
    text: TextConfig = TextConfig()
    fusion: NamedConfig = NamedConfig(name="hierarchical")
    objective: NamedConfig = NamedConfig(name="cross_entropy")
    train: TrainConfig = TrainConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _modalities_in_order(self) -> Self:
        ordered = tuple(m for m in MODALITIES if m in self.modalities)
        if not ordered or ordered != self.modalities:
            raise ValueError(
                f"modalities must be one to three of {MODALITIES}, in this order, each once; "
                f"got {self.modalities}"
            )
        if self.fusion.name == "single" and len(ordered) != 1:
            raise ValueError(
                f"fusion 'single' takes exactly one modality, got {ordered}; "
                "name one, or choose another fusion"
            )
        return self

    @property
    def label(self) -> str:
        """`study/arm-s<seed>`, for messages."""
        return f"{self.study}/{self.arm}-s{self.seed}"

    def deciding(self) -> dict:
        """The part that decides results: without runtime, tracking, names, paths and unused encoders."""
        config = self.model_dump(mode="json", exclude={"runtime", "tracking", "study", "arm"})
        for key in ("manifest", "store", "decode_time_limit", "max_failed_share"):
            del config["data"][key]
        for modality in set(MODALITIES) - set(self.modalities):
            del config[modality]
        return config

    def signature(self, data_fingerprint: str) -> str:
        """Ten hex digits that name what decides the run's numbers: configuration and content of the data."""
        record = json.dumps([self.deciding(), data_fingerprint], sort_keys=True)
        return hashlib.sha256(record.encode()).hexdigest()[:10]


def load_config(text: str, source: str) -> RunConfig:
    """A configuration from JSON text.

    Raises:
        InputError: not JSON, an unknown key or a wrong type; the message names the source and each field.
    """
    try:
        return RunConfig.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{source} is not a valid run configuration: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """pydantic's findings, each with its field: `data.crop_size: …`; a value is quoted, a section is not."""
    lines = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"]) or "configuration"
        message = finding["msg"].removeprefix("Value error, ")
        given = finding["input"]
        is_value = given is None or isinstance(given, Option)
        quoted = f" (got {given!r})" if finding["loc"] and is_value else ""
        lines.append(f"{where}: {message}{quoted}")
    return "; ".join(lines)
