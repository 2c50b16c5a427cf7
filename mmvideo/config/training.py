"""What is trained and how: named parts, the optimisation, and how the work is carried out and mirrored."""

from __future__ import annotations

from typing import Annotated, Literal

import annotated_types as at
from pydantic import Field

from mmvideo.schema import Fraction, Option, Part, Positive, PositiveFloat


class NamedConfig(Part):
    """A registered name (or your own "package.module:Class") and the options its class takes."""

    name: str
    options: dict[str, Option] = Field(default_factory=dict)


class ModalityDropout(Part):
    """In training, the rate at which a clip is shown without a modality. One that is present always stays."""

    visual: Fraction = 0.0
    audio: Fraction = 0.0
    text: Fraction = 0.0


class PadTo(Part):
    """Multiples to which a batch's length, that of its longest clip, is rounded up, so that a compiler or
    cuDNN meets few shapes. Padding changes no prediction; in training, dropout draws differently."""

    visual: Positive = 1
    audio: Positive = 1
    text: Positive = 1


AS_LONG_AS_NEEDED = PadTo()


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
    modality_dropout: ModalityDropout = ModalityDropout()
    """Whole modalities dropped at random, by (seed, epoch, clip)."""
    pad_to: PadTo = AS_LONG_AS_NEEDED
    """Batches of rounded lengths, by modality: frames, hops of sound, word pieces. 1: as long as needed."""
    diagnostics: bool = True
    """Each epoch, log gradient norms of encoders and fusion, and validation with each modality alone: 1 to
    7 % of an epoch's time on planted data, by fusion. No other number depends on it."""


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
