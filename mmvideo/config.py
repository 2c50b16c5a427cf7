"""One complete, strict, typed configuration per run: the same object is file, command line and W&B record."""

from __future__ import annotations

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
    Part,
    Positive,
    PositiveFloat,
    added,
    decisive,
    explain,
    read_part,
)
from mmvideo.train_config import TrainConfig as TrainConfig
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


class RuntimeConfig(Part):
    """How the work is carried out. Nothing here changes a number, but for how sums are rounded and what
    dropout draws, which no two kinds of device have in common."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    """GPUs (with `cpu`, processes) that train one run together, each with its part of every batch of
    `batch_size`. Under torchrun, as many as it has begun. What is finished is evaluated again on one."""
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
