"""Every name a configuration may use, in one visible table: name → "module:Class".

A configuration may also name a class of your own as "package.module:Class".
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mmvideo.config import RunConfig
from mmvideo.errors import InputError, unknown
from mmvideo.schema import Part, explain

FUSIONS: dict[str, str] = {
    "early": "mmvideo.fusion.early:EarlyFusion",
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
}

ENCODERS: dict[str, dict[str, str]] = {
    "visual": {
        "cnn_lstm": "mmvideo.encoders.visual:CnnLstm",
        "features": "mmvideo.encoders.features:PrecomputedFeatures",
    },
    "audio": {
        "spectrogram_cnn": "mmvideo.encoders.audio:SpectrogramCnn",
        "features": "mmvideo.encoders.features:PrecomputedFeatures",
    },
    "text": {
        "transformer": "mmvideo.encoders.text:TextTransformer",
        "features": "mmvideo.encoders.features:PrecomputedFeatures",
    },
}

OBJECTIVES: dict[str, str] = {
    "cross_entropy": "mmvideo.objectives.supervised:CrossEntropy",
    "focal": "mmvideo.objectives.supervised:Focal",
    "unimodal_auxiliary": "mmvideo.objectives.auxiliary:UnimodalAuxiliary",
    "gradient_blend": "mmvideo.objectives.gradient_blend:GradientBlend",
    "ogm": "mmvideo.objectives.modulation:Ogm",
    "ogm_ge": "mmvideo.objectives.modulation:OgmGe",
    "mmpareto": "mmvideo.objectives.mmpareto:MMPareto",
    "agm": "mmvideo.objectives.agm:Agm",
}


def resolve(table: Mapping[str, str], kind: str, name: str) -> type:
    """The class behind a registered name, or behind "package.module:Class".

    Raises:
        InputError: the name is unknown (with the nearest match and the full list), or cannot be imported.
    """
    target = table.get(name, name)
    module_name, _, class_name = target.partition(":")
    if not class_name:
        raise unknown(kind, name, table)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # one's own modules are found beside the working directory
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise  # the module exists; something it needs does not
        raise InputError(
            f"{kind} '{name}': there is no module '{module_name}' on the Python path."
        ) from error
    if not hasattr(module, class_name):
        raise InputError(f"{kind} '{name}': module '{module_name}' has no '{class_name}'.")
    return getattr(module, class_name)


def build(table: Mapping[str, str], kind: str, name: str, options: Mapping[str, Any], **given: Any) -> Any:
    """Make the named class from its own `Config`, which the options fill, and from what the caller gives.

    Raises:
        InputError: an option the class does not take, or a value that the option cannot have.
    """
    cls = resolve(table, kind, name)
    if "config" not in given:  # an encoder's is its modality's section
        given["config"] = read_options(cls, kind, name, options)
    return cls(**given)


def read_options(cls: type, kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """The options that a configuration gives a component, as the component's own `Config`.

    Raises:
        InputError: an option the class does not take, or a value that the option cannot have.
    """
    config = getattr(cls, "Config", None)
    if not (isinstance(config, type) and issubclass(config, Part)):
        raise InputError(f"{kind} '{name}': {cls.__name__} needs a `Config`, a subclass of its base's")
    for option in options:
        if option not in config.model_fields:
            raise unknown(f"option of {kind} '{name}'", option, config.model_fields)
    try:
        return config(**options)
    except ValidationError as error:
        raise InputError(f"{kind} '{name}': {explain(error)}") from error


def check_names(config: RunConfig) -> None:
    """Everything a configuration names exists and takes the options it is given. Nothing is built.

    Raises:
        InputError: as `resolve` and `build` do.
    """
    for modality in config.modalities:
        resolve(ENCODERS[modality], f"{modality} encoder", getattr(config, modality).name)
    for table, kind, part in (
        (FUSIONS, "fusion", config.fusion),
        (OBJECTIVES, "objective", config.objective),
    ):
        read_options(resolve(table, kind, part.name), kind, part.name, part.options)
