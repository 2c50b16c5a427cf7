"""A configuration's part on training: optimiser, schedule, which epoch is kept."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import annotated_types as at
from pydantic import Field

from mmvideo.schema import Fraction, ModalityName, NotNegative, Part, Positive, PositiveFloat, added


class Rates(Part):
    """Parts of a model whose learning rate is a multiple of `learning_rate`."""

    pretrained: PositiveFloat = added(1.0, before=1.0)
    """Of what is trained of encoders' pretrained networks; of their last block, where `layer_decay` is not
    1."""
    encoders: PositiveFloat = added(1.0, before=1.0)
    """Of the rest of the encoders: what stands on pretrained networks, and all of those from scratch."""
    fusion: PositiveFloat = added(1.0, before=1.0)
    head: PositiveFloat = added(1.0, before=1.0)
    """Of the linear map to the outputs, and of what the objective adds."""


class TrainConfig(Part):
    """The optimisation: AdamW, a warm-up/stable/decay schedule, clipping, early stopping on validation."""

    epochs: Positive = 12
    least_steps: Annotated[int, at.Ge(0)] = added(0, before=0)
    """Where `epochs` are fewer optimisation steps than this, there are as many more epochs: a small data set
    is not trained for less."""
    batch_size: Positive = 32
    accumulate: Positive = added(1, before=1)
    """Batches whose gradients, averaged over their clips, make one step of the optimiser: as if batches were
    so many times larger, but for losses that look at a batch as a whole. `least_steps` and the schedule count
    the optimiser's steps."""
    learning_rate: PositiveFloat = 1e-3
    rates: Rates = added(Rates(), before=Rates())
    """By part of the model, what this rate is multiplied by."""
    layer_decay: Annotated[float, at.Gt(0), at.Le(1)] = added(1.0, before=1.0)
    """A pretrained block's rate, as a share of that of the block above it: (Clark et al., 2020,
    https://arxiv.org/abs/2003.10555)."""
    weight_decay: NotNegative = 0.01
    warmup: Fraction = 0.1
    """Share of all steps over which the learning rate rises from 0."""
    decay: Fraction = 0.3
    """Share of all steps, the last ones, over which it falls to 0."""
    clip_norm: PositiveFloat = 1.0
    """Largest gradient norm; longer gradients are scaled down to it."""
    select: Literal["score", "loss", "last"] = added("score", before="loss")
    """The epoch whose weights a run keeps: the best by the task's validation score (where that ties, by
    validation loss), the best by validation loss, or the last."""
    patience: Positive = 12
    """Epochs without a better one, by what `select` chooses by, after which training stops; with `last` it
    goes on to the end."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    """On a GPU, 32-true multiplies in TF32: inputs are rounded to 10 bits, sums are of 32."""
    modality_dropout: dict[ModalityName, Fraction] = Field(default_factory=dict)
    """By modality (as `--train.modality-dropout.audio 0.2`), the rate at which a clip is shown without it in
    training, drawn from (seed, epoch, clip). One that is present always stays."""
    compile: bool = added(False, before=False)
    """Encoders and fusion by `torch.compile`, before the first step; what it cannot take runs as written, and
    the reason is told. It belongs to what decides a run's numbers: compiled sums round in another order, and
    dropout draws from another generator."""
    pad_to: dict[ModalityName, Positive] = Field(default_factory=dict)
    """By modality (as `--train.pad-to.text 32`), a multiple to which a batch's length, that of its longest
    clip, is rounded up, so that a compiler or cuDNN meets few shapes. With `compile`, a quarter of the
    longest length unless given. Padding changes no prediction; in training, dropout draws differently."""
    diagnostics: bool = True
    """Each epoch, log gradient norms of encoders and fusion, validation with each modality alone, and means
    over clips of what the fusion reports of itself, such as its gates (`FusionMeans`): 1 to 7 % of an epoch's
    time on planted data, by fusion. No other number depends on it."""

    def most_epochs(self, steps_per_epoch: float) -> int:
        """How many epochs training lasts where it does not stop early."""
        return max(self.epochs, math.ceil(self.least_steps / steps_per_epoch))
