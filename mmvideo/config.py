"""One complete, strict, typed configuration per run: the same object is file, command line and W&B record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

import annotated_types as at
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from mmvideo.components import (
    ENCODERS,
    MODALITY_KINDS,
    EncoderChoice,
    FusionChoice,
    ObjectiveChoice,
    names_a_part,
)
from mmvideo.errors import InputError
from mmvideo.names import PathName
from mmvideo.schema import (
    Fraction,
    ModalityName,
    NotNegative,
    Part,
    Positive,
    PositiveFloat,
    added,
    decisive,
    explain,
    read_part,
)
from mmvideo.vocabulary import MODALITIES, TaskKind, in_order


class DataConfig(Part):
    """Which clips, where they are decoded to, and which windows of them are shown."""

    manifest: str = "data/planted/mixed/manifest.jsonl"
    """The list of clips (JSON Lines; see mmvideo.clips.manifest)."""
    task: TaskKind = "single_label"
    """What a clip's label is: one class, any number of classes, or a number."""
    store: str = "data/store"
    """Folder of decoded clips, shared by all runs."""
    frame_rate: Annotated[PositiveFloat, at.Le(1000)] = 8.0
    """Frames stored per second of video; windows of all modalities start at whole frames."""
    max_seconds: PositiveFloat = 1.0
    """Longer clips are cut to a window of this length: at random in training, the middle in evaluation."""
    eval_views: Positive = 1
    """Windows spread over the clip in evaluation, whose predicted probabilities are averaged."""
    validation_share: Annotated[float, at.Gt(0), at.Lt(1)] = added(0.15, before=0.15)
    """Where the manifest has no clips in `val`: the share of each class's training clips, in whole groups,
    that a run validates on. Each seed draws its own, so that intervals hold what the choice changes; a
    manifest with clips in `val` fixes them for all seeds."""
    train_share: Annotated[float, at.Gt(0), at.Le(1)] = added(1.0, before=1.0)
    """The share of each class's training clips, in whole groups, that a run learns from; each seed draws its
    own, and what a smaller share has is in a larger one. Validation and test stay whole."""
    decode_time_limit: PositiveFloat = 60.0
    """Seconds a worker may take for one clip before it is ended and the clip listed as failed."""
    max_failed_share: Fraction = 0.02
    """Share of clips that may fail to decode before the work stops."""


class Input(Part):
    """One modality of a run: how it is read, and what encodes it."""

    kind: str
    """`visual`, `audio`, `text`, `features` (files that the manifest names), or your own
    "package.module:Class"."""
    options: SerializeAsAny[Part]
    """How it is read: what is stored, which part a sample shows, how that is changed in training."""
    encoder: EncoderChoice

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """The kind alone is enough; it brings its default encoder."""
        if isinstance(given, str):
            given = {"kind": given}
        if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
            return given
        encoder = given.get("encoder") or {}
        if isinstance(encoder, Mapping):
            encoder = {"name": MODALITY_KINDS.resolve(given["kind"]).default_encoder, **encoder}
        options = MODALITY_KINDS.options(given["kind"], given.get("options"))
        return {**given, "options": options, "encoder": encoder}

    @model_validator(mode="after")
    def _encoder_fits(self) -> Self:
        kind, encoder = self.component, self.encoder.component
        if encoder.takes != kind.kind:
            fitting = [name for name in ENCODERS if ENCODERS.resolve(name).takes == kind.kind]
            raise ValueError(
                f"encoder '{self.encoder.name}' reads what is {encoder.takes}, not {kind.kind}; "
                f"for that there is {', '.join(fitting) or 'none registered'}"
            )
        kind.check(self.options, self.needs)
        return self

    @property
    def component(self) -> Any:
        """The class that the kind stands for."""
        return MODALITY_KINDS.resolve(self.kind)

    @property
    def needs(self) -> Any:
        """What the encoder needs to be given."""
        return self.encoder.component.needs(self.encoder.options)

    @classmethod
    def of(cls, kind: str, encoder: EncoderChoice | str | None = None, **options: Any) -> Self:
        """`Input.of("visual", EncoderChoice.of("cnn_lstm", pool="average"), frame_size=40)`."""
        given = {"kind": kind, "options": options}
        try:
            return cls.model_validate(given if encoder is None else {**given, "encoder": encoder})
        except ValidationError as error:
            raise InputError(explain(error)) from error


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


class RuntimeConfig(Part):
    """How the work is carried out. Nothing here changes a number, but for how sums are rounded and what
    dropout draws, which no two kinds of device have in common."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    """GPUs (with `cpu`, processes) that train one run together, each with its part of every batch of
    `batch_size`. What is finished is evaluated again on one."""
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
    artifacts: bool = False
    """Also the manifest and each run's best checkpoint, as artifacts."""
    media: bool = False
    """Also small pictures of the clips that are hardest for all arms: frames, spectrogram and text."""


def _video() -> dict[str, Input]:
    return {name: Input.of(name) for name in MODALITIES}


class RunConfig(Part):
    """Everything that decides a run. `config.json` holds this and alone re-runs the run."""

    study: PathName = "train"
    """The study the run belongs to (a W&B group)."""
    arm: PathName = "run"
    """The study's arm: runs that differ only in seed."""
    seed: Annotated[int, at.Ge(0)] = 0
    inputs: dict[ModalityName, Input] = Field(default_factory=_video, min_length=1)
    """By the manifest's names, each modality that runs of the study may be given."""
    modalities: tuple[ModalityName, ...] = Field(
        default_factory=lambda earlier: in_order(earlier.get("inputs", ()))
    )
    """Which of the inputs the model is given, in the order visual, audio, text, then the others; by default
    all."""
    width: Positive = 64
    """Width D in which every encoder ends, and every fusion works unless `fusion_width` is given."""
    fusion_width: Positive | None = None
    """Width in which the fusion works; None: `width`. It sizes strategies to one budget."""
    encoders_from: tuple[str, ...] = ()
    """Folders of finished runs whose encoders this run starts from, at most one for each modality."""
    encoders_frozen: bool = False
    """Leave those encoders as they are and train what stands on them: every clip is encoded once, as in
    evaluation, so nothing is augmented, and an epoch costs only its fusion."""
    data: DataConfig = DataConfig()
    fusion: FusionChoice = Field(default_factory=lambda: FusionChoice.of("hierarchical"))
    objective: ObjectiveChoice = Field(default_factory=lambda: ObjectiveChoice.of("cross_entropy"))
    train: TrainConfig = TrainConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _modalities_are_inputs(self) -> Self:
        if taken := [name for name in self.inputs if not names_a_part(name)]:
            raise ValueError(
                f"no modality can be called {', '.join(taken)}, as parts of the model or of records are; "
                "give it another name in inputs, and in the manifest"
            )
        ordered = tuple(m for m in in_order(self.inputs) if m in self.modalities)
        if ordered != self.modalities or not ordered:
            raise ValueError(
                f"modalities must be some of {in_order(self.inputs)}, in this order, each once; "
                f"got {self.modalities}"
            )
        for section in ("modality_dropout", "pad_to"):
            if strange := [m for m in getattr(self.train, section) if m not in self.inputs]:
                raise ValueError(f"train.{section} names {', '.join(strange)}, which is none of the inputs")
        for kind in MODALITIES:
            if len(twice := [name for name, given in self.inputs.items() if given.kind == kind]) > 1:
                raise ValueError(
                    f"inputs {' and '.join(twice)} both read a clip's {kind} track; name it once"
                )
        return self

    @model_validator(mode="after")
    def _fusion_can_read_them(self) -> Self:
        if self.fusion.name == "single" and len(self.modalities) != 1:
            raise ValueError(
                f"fusion 'single' takes exactly one modality, got {self.modalities}; "
                "name one, or choose another fusion"
            )
        return self

    @model_validator(mode="after")
    def _frozen_encoders_come_from_runs(self) -> Self:
        if self.encoders_frozen and not self.encoders_from:
            raise ValueError(
                "encoders_frozen leaves encoders as finished runs had them; name these in encoders_from"
            )
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes read the text: a user's own components are importable there as they are here."""
        return load_config, (self.model_dump_json(), "a configuration from another process")

    @property
    def label(self) -> str:
        """`study/arm-s<seed>`, for messages."""
        return f"{self.study}/{self.arm}-s{self.seed}"

    @property
    def active(self) -> dict[str, Input]:
        """The inputs that the model is given, in order."""
        return {m: self.inputs[m] for m in self.modalities}

    def deciding(self) -> dict[str, Any]:
        """The part that decides results: without runtime, tracking, names, paths and unused inputs."""
        config = decisive(self)
        for key in ("runtime", "tracking", "study", "arm"):
            del config[key]
        for key in ("manifest", "store", "decode_time_limit", "max_failed_share"):
            del config["data"][key]
        del config["train"]["diagnostics"]  # it looks on, and changes nothing
        config["encoders_from"] = [PurePath(run).name for run in self.encoders_from]  # ends in its signature
        config["inputs"] = {name: config["inputs"][name] for name in self.modalities}
        return config


def load_config(text: str, source: str) -> RunConfig:
    """A configuration from JSON text.

    Raises:
        InputError: not JSON, an unknown key or a wrong type; the message names the source and each field.
    """
    try:
        return read_part(RunConfig, text)
    except ValidationError as error:
        foreign = any(finding["type"] == "extra_forbidden" for finding in error.errors())
        hint = " Keys have changed between versions; CHANGELOG.md lists old and new ones." if foreign else ""
        raise InputError(f"{source} is not a valid run configuration: {explain(error)}.{hint}") from error
