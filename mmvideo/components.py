"""Components: every name that a configuration may use, in visible tables, and what a component is.

A component is a class with a nested `Config`, a strict piece of configuration that holds its options. A run's
configuration names components as {name, options}; the options are checked by the `Config` of the class that
the name stands for. Instead of a registered name, "package.module:Class" names a class of one's own, and so
does "folder/file.py:Class" below the working directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, ClassVar, Self

from pydantic import SerializeAsAny, ValidationError, model_validator

from mmvideo.errors import InputError, unknown
from mmvideo.importing import as_module, load
from mmvideo.schema import Part, explain


class Table(dict[str, str]):
    """Registered components of one kind: name → "module:Class".

    Args:
        kind: what messages call them.
        base: "module:Class" that each of them, and each of a user's own, is a subclass of.
    """

    def __init__(self, kind: str, base: str, names: Mapping[str, str]) -> None:
        super().__init__(names)
        self.kind, self.base = kind, base

    def resolve(self, name: str) -> Any:
        """The class behind a registered name, or behind "package.module:Class".

        Raises:
            InputError: the name is unknown (with the nearest match and the full list), cannot be imported, or
                is of something else.
        """
        target = self.get(name, name)
        if ":" not in target:
            raise unknown(self.kind, name, self)
        cls, base = load(target, f"{self.kind} '{name}'"), load(self.base, self.kind)
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise InputError(f"{self.kind} '{name}' is not a subclass of {self.base.replace(':', '.')}")
        if not issubclass(getattr(cls, "Config", object), getattr(base, "Config", Part)):
            raise InputError(
                f"{self.kind} '{name}': its Config is to be a subclass of {base.__name__}.Config"
            )
        named = [a for a, hint in base.__annotations__.items() if str(hint).startswith("ClassVar")]
        if lacking := [attribute for attribute in named if not hasattr(cls, attribute)]:
            raise InputError(
                f"{self.kind} '{name}' has no class attribute {' or '.join(lacking)}; give it one"
            )
        return cls

    def options(self, name: str, given: Any = None) -> Part:
        """The options of the named class, checked by its `Config`; what is not given has its default.

        Args:
            given: a mapping, or a `Config` made before; one of another class counts as a mapping.

        Raises:
            InputError: as `resolve` does, or an option that the class does not take or may not have.
        """
        config: type[Part] = self.resolve(name).Config
        if not isinstance(given, (Part, Mapping, type(None))):
            raise InputError(f"options of {self.kind} '{name}' are names with values; got {given!r}")
        if type(given) is config:
            return given
        values = dict(given.model_dump(mode="json") if isinstance(given, Part) else given or {})
        for option in values:
            if option not in config.model_fields:
                raise unknown(f"option of {self.kind} '{name}'", option, config.model_fields)
        try:
            return config.model_validate_json(json.dumps(values, default=_plain))
        except ValidationError as error:
            raise InputError(f"options of {self.kind} '{name}': {explain(error)}") from error


class Choice(Part):
    """A component by name, with its options."""

    table: ClassVar[Table]
    name: str
    options: SerializeAsAny[Part]

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """The name alone is enough; options become those of the class that it names."""
        if isinstance(given, str):
            given = {"name": given}
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            return given
        name = as_module(given["name"])
        return {**given, "name": name, "options": cls.table.options(name, given.get("options"))}

    @classmethod
    def of(cls, name: str, **options: Any) -> Self:
        """`FusionChoice.of("late", dropout=0.2)`. Raises InputError as `Table.options` does."""
        name = as_module(name)
        return cls(name=name, options=cls.table.options(name, options))

    @property
    def component(self) -> Any:
        """The class that the name stands for."""
        return self.table.resolve(self.name)

    def build(self, *given: Any) -> Any:
        """The component, made from its options and whatever all components of the kind are given."""
        return self.component(self.options, *given)


def names_a_part(name: str) -> bool:
    """Whether a part of the model can be called so: torch's containers have no such attribute, records no
    such word."""
    return name not in ("fusion", "none") and not hasattr(load("torch.nn:ModuleDict", "torch")(), name)


def _plain(value: Any) -> Any:
    """What an option's value is in JSON, where it is a piece of configuration itself."""
    if isinstance(value, Part):
        return value.model_dump(mode="json")
    if isinstance(value, PurePath):
        return str(value)
    raise InputError(f"{value!r} cannot be an option: it is no number, text, list, table or path")


FUSIONS = Table(
    "fusion",
    "mmvideo.fusion.base:Fusion",
    {
        "early": "mmvideo.fusion.early:EarlyFusion",
        "linear": "mmvideo.fusion.linear:LinearFusion",
        "late": "mmvideo.fusion.late:LateFusion",
        "late_sum": "mmvideo.fusion.late_sum:LateSumFusion",
        "hierarchical": "mmvideo.fusion.hierarchical:HierarchicalFusion",
        "single": "mmvideo.fusion.single:SingleModality",
        "gated": "mmvideo.fusion.gated:GatedFusion",
        "film": "mmvideo.fusion.film:FilmFusion",
        "mmtm": "mmvideo.fusion.mmtm:MmtmFusion",
        "tensor": "mmvideo.fusion.tensor:TensorFusion",
        "low_rank": "mmvideo.fusion.low_rank:LowRankFusion",
        "bilinear": "mmvideo.fusion.bilinear:BilinearFusion",
        "attention": "mmvideo.fusion.attention:AttentionFusion",
        "experts": "mmvideo.fusion.experts:ExpertsFusion",
        "joint_transformer": "mmvideo.fusion.joint_transformer:JointTransformerFusion",
        "mult": "mmvideo.fusion.mult:MultFusion",
        "co_attention": "mmvideo.fusion.co_attention:CoAttentionFusion",
        "bottleneck": "mmvideo.fusion.bottleneck:BottleneckFusion",
        "perceiver": "mmvideo.fusion.perceiver:PerceiverFusion",
    },
)

OBJECTIVES = Table(
    "objective",
    "mmvideo.objectives.base:Objective",
    {
        "cross_entropy": "mmvideo.objectives.supervised:CrossEntropy",
        "focal": "mmvideo.objectives.supervised:Focal",
        "unimodal_auxiliary": "mmvideo.objectives.auxiliary:UnimodalAuxiliary",
        "gradient_blend": "mmvideo.objectives.gradient_blend:GradientBlend",
        "ogm": "mmvideo.objectives.modulation:Ogm",
        "ogm_ge": "mmvideo.objectives.modulation:OgmGe",
        "mmpareto": "mmvideo.objectives.mmpareto:MMPareto",
        "agm": "mmvideo.objectives.agm:Agm",
    },
)

MODALITY_KINDS = Table(
    "kind of modality",
    "mmvideo.modalities.base:Modality",
    {
        "visual": "mmvideo.modalities.visual:Visual",
        "audio": "mmvideo.modalities.audio:Audio",
        "text": "mmvideo.modalities.text:Text",
        "features": "mmvideo.modalities.features:PrecomputedFeatures",
    },
)

ENCODERS = Table(
    "encoder",
    "mmvideo.encoders.base:Encoder",
    {
        "cnn_lstm": "mmvideo.encoders.visual:CnnLstm",
        "frame_model": "mmvideo.encoders.frame_model:FrameModel",
        "sound_model": "mmvideo.encoders.sound_model:SoundModel",
        "video_model": "mmvideo.encoders.video_model:VideoModel",
        "pixels": "mmvideo.encoders.pixels:Pixels",
        "spectrogram_cnn": "mmvideo.encoders.audio:SpectrogramCnn",
        "mfcc": "mmvideo.encoders.mfcc:MfccColumns",
        "transformer": "mmvideo.encoders.text:TextTransformer",
        "text_model": "mmvideo.encoders.text_model:TextModel",
        "feature_lstm": "mmvideo.encoders.features:FeatureLstm",
    },
)


ENGINES = Table(
    "engine",
    "mmvideo.studies.engines.base:Engine",
    {
        "local": "mmvideo.studies.engines.local:LocalEngine",
        "ray": "mmvideo.studies.engines.ray:RayEngine",
        "slurm": "mmvideo.studies.engines.slurm:SlurmEngine",
    },
)


class FusionChoice(Choice):
    """A fusion strategy and its options."""

    table = FUSIONS


class ObjectiveChoice(Choice):
    """What training minimises, and its options."""

    table = OBJECTIVES


class EncoderChoice(Choice):
    """A modality's encoder and its options."""

    table = ENCODERS


class EngineChoice(Choice):
    """Where a study's runs are carried out, and how."""

    table = ENGINES
