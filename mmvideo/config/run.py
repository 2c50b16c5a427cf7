"""A whole run: its sections, and what must fit together."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Self

import annotated_types as at
from pydantic import ValidationError, model_validator

from mmvideo.config.data import DataConfig
from mmvideo.config.encoders import AudioConfig, TextConfig, VisualConfig
from mmvideo.config.training import NamedConfig, RuntimeConfig, TrackingConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.schema import Part, Positive, decisive, explain, read_part
from mmvideo.vocabulary import MODALITIES, Modality


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
    """Width D in which every encoder ends, and every fusion works unless `fusion_width` is given."""
    fusion_width: Positive | None = None
    """Width in which the fusion works; None: `width`. It sizes strategies to one budget."""
    encoders_from: tuple[str, ...] = ()
    """Folders of finished runs whose encoders this run starts from, at most one for each modality."""
    encoders_frozen: bool = False
    """Leave those encoders as they are and train what stands on them: every clip is encoded once, as in
    evaluation, so nothing is augmented, and an epoch costs only its fusion."""
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

    @model_validator(mode="after")
    def _cached_features_are_right(self) -> Self:
        if not self.visual.cached or "visual" not in self.modalities:
            return self
        if not self.visual.frozen:
            raise ValueError("visual.cached is for a backbone that does not change; set visual.frozen too")
        data, augment = self.data, self.data.augment
        changing = {
            "random_crop": data.random_crop,
            "flip_probability": data.flip_probability,
            "rotate_degrees": data.rotate_degrees,
            "eval_crops": data.eval_crops > 1,
            "augment.smallest_crop": augment.smallest_crop < 1,
            **{f"augment.{n}": getattr(augment, n) for n in ("brightness", "contrast", "saturation", "hue")},
        }
        if wrong := [f"data.{name}" for name, on in changing.items() if on]:
            raise ValueError(
                "visual.cached keeps the features of each frame's centre crop, which would be wrong with "
                f"{', '.join(wrong)}; switch {'it' if len(wrong) == 1 else 'them'} off, or visual.cached"
            )
        return self

    @model_validator(mode="after")
    def _frozen_encoders_come_from_runs(self) -> Self:
        if self.encoders_frozen and not self.encoders_from:
            raise ValueError(
                "encoders_frozen leaves encoders as finished runs had them; name these in encoders_from"
            )
        return self

    @property
    def label(self) -> str:
        """`study/arm-s<seed>`, for messages."""
        return f"{self.study}/{self.arm}-s{self.seed}"

    def deciding(self) -> dict[str, Any]:
        """The part that decides results: without runtime, tracking, names, paths and unused encoders."""
        config = decisive(self)
        for key in ("runtime", "tracking", "study", "arm"):
            del config[key]
        for key in ("manifest", "store", "decode_time_limit", "max_failed_share"):
            del config["data"][key]
        del config["train"]["diagnostics"]  # it looks on, and changes nothing
        config["encoders_from"] = [PurePath(run).name for run in self.encoders_from]  # ends in its signature
        for modality in set(MODALITIES) - set(self.modalities):
            del config[modality]
        return config


def load_config(text: str, source: str) -> RunConfig:
    """A configuration from JSON text.

    Raises:
        InputError: not JSON, an unknown key or a wrong type; the message names the source and each field.
    """
    try:
        return read_part(RunConfig, text)
    except ValidationError as error:
        raise InputError(f"{source} is not a valid run configuration: {explain(error)}") from error
