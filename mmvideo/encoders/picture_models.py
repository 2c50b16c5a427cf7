"""Pretrained models of pictures: what a checkpoint says of its input, and its vector of each picture.

From transformers CLIP's and SigLIP's vision models, DINOv2 and DINOv3; from timm (an extra) any model. Size,
crop and normalisation are read off the checkpoint's own files, never off a class's defaults.
"""

from __future__ import annotations

from dataclasses import asdict
from math import floor
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmvideo.encoders.hidden_layers import Layer, layers_given, states_read
from mmvideo.encoders.processors import Normalise, Picture, picture_of_processor, processor_of
from mmvideo.errors import InputError, unknown
from mmvideo.modalities.picture_changes import Framing
from mmvideo.pretrained import (
    Family,
    config_settings,
    load_pretrained,
    load_whole,
    model_config,
    model_file,
    read_once,
)


def _family(title: str, network: str, width: int, parameters: float, example: str, size: int = 224) -> Family:
    return Family(
        title=title, network=network, input=f"a frame of {size} px", gives="every frame", masks="exact",
        width=width, parameters=parameters, example=example,
    )  # fmt: skip


CLIP = _family("CLIP", "CLIPVisionModel", 768, 87.5, "openai/clip-vit-base-patch32")
SIGLIP = _family("SigLIP, SigLIP 2", "SiglipVisionModel", 768, 92.9, "google/siglip-base-patch16-224")
WITHOUT_CLASS_TOKEN = ("siglip", "siglip_vision_model")
REGISTERS = ("Dinov2WithRegistersModel", 768, 85.8, "facebook/dinov2-with-registers-base")
FAMILIES = {
    "clip": CLIP,
    "clip_vision_model": CLIP,
    "siglip": SIGLIP,
    "siglip_vision_model": SIGLIP,
    "dinov2": _family("DINOv2", "Dinov2Model", 768, 85.7, "facebook/dinov2-base"),
    "dinov2_with_registers": _family("DINOv2 with registers", *REGISTERS),
    "dinov3_vit": _family("DINOv3", "DINOv3ViTModel", 384, 21.6, "facebook/dinov3-vits16-pretrain-lvd1689m"),
}
"""Kind of model → what it is; the `pooler_output` of transformers' class is the picture's vector: CLIP's and
DINO's normed CLS token, SigLIP's attention pooling. SigLIP 2 of a fixed size is of the kind `siglip`."""
TIMM = _family("any of timm's", "tf_efficientnet_lite0", 1280, 3.4, "timm/tf_efficientnet_lite0.in1k")


class PictureModel(nn.Module):
    """A picture's vector under a pretrained network.

    Args:
        layer: whose vector, or `weighted` for those of all, one behind the other. Of the last one, what the
            network gives; of another, its class token, or the mean over its patches if it has none (SigLIP).
    """

    def __init__(
        self,
        network: nn.Module,
        picture: Picture,
        made_by: dict[str, Any],
        name: str,
        layer: Layer = "last",
    ) -> None:
        super().__init__()
        self.network, self.picture, self.made_by = network, picture, {**made_by, **asdict(picture)}
        self.layer, self.layers = layer, 1
        if layer != "last":
            self.layers = layers_given(layer, _blocks(network.config), name)
            self.made_by["layer"] = layer
        self.normalise = Normalise(picture)
        self.eval()
        size = picture.framing.size
        try:
            with torch.no_grad():
                self.features = self(torch.zeros(1, 3, size, size, dtype=torch.uint8)).shape[1]
        except (ValueError, RuntimeError, AssertionError) as error:
            raise InputError(
                f"model '{name}' does not take the pictures of {size} pixels that its preprocessor gives: "
                f"{error}"
            ) from error

    def forward(self, frames: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N F"]:
        given = self.normalise(frames)
        if self.layer == "last":
            found = self.network(given)
            return found if isinstance(found, Tensor) else found.pooler_output
        states = states_read(self.layer, self.network(given, output_hidden_states=True))
        config: Any = self.network.config
        pooled = config.model_type in WITHOUT_CLASS_TOKEN
        return torch.cat([state.mean(dim=1) if pooled else state[:, 0] for state in states], dim=1)


def load_picture_model(model: str | None, weights: str | None, layer: Layer = "last") -> PictureModel:
    """A network that gives a vector for each picture.

    Args:
        model: folder or hub name, of transformers' or of timm's models; with `weights`, timm's name.
        weights: a file of safetensors for the architecture that `model` names in timm.
        layer: see `PictureModel`.

    Raises:
        InputError: unknown model, a file that is missing, or weights that do not fit.
    """
    described = picture_of(model, weights)
    assert model is not None
    if is_timm(model, weights):
        network, made_by = _timm_network(model, weights)
    else:
        network, made_by = _transformers_network(model)
    return PictureModel(network, described, made_by, model, layer)


def refuse_layer(model: str | None, weights: str | None, layer: Layer) -> None:
    """
    Raises:
        InputError: the model has no such layer, or is one of timm's, whose layers are of different widths.
    """
    if layer == "last":
        return
    assert model is not None
    if is_timm(model, weights):
        raise InputError(
            f"layer: of '{model}', one of timm's models, the last layer's vectors are read; got {layer}. "
            "Leave it at `last`, or name a model of transformers"
        )
    import transformers

    config = load_pretrained(transformers.AutoConfig.from_pretrained, model)
    layers_given(layer, _blocks(config), model)


def _blocks(config: Any) -> int:
    """Of the part of a model that sees."""
    return int(getattr(config, "vision_config", config).num_hidden_layers)


@read_once
def picture_of(model: str | None, weights: str | None) -> Picture:
    """What the checkpoint's own files say of its pictures.

    Raises:
        InputError: as `load_picture_model`, before any weights are read.
    """
    if model is None or not is_timm(model, weights):
        return _of_processor(model)
    return _of_timm(_timm_pretrained_cfg(model, weights), model)


def is_timm(model: str | None, weights: str | None) -> bool:
    """Whether a model is one of timm's: named beside weights, or with timm's config.json."""
    if weights is not None:
        return True
    return "architecture" in model_config(model)


def _of_processor(model: str | None) -> Picture:
    kind = model_config(model).get("model_type")
    assert model is not None
    if kind not in FAMILIES:
        raise unknown(f"kind of picture model, that of '{model}',", str(kind), {*FAMILIES, "timm's"})
    return picture_of_processor(processor_of(model, "image_processor"), model)


def _transformers_network(model: str) -> tuple[nn.Module, dict[str, Any]]:
    import transformers

    kind = model_config(model)["model_type"]
    network = load_whole(getattr(transformers, FAMILIES[kind].network).from_pretrained, model)
    for name, parameter in network.named_parameters():
        if name.endswith("mask_token"):  # of pretraining: no picture reaches it
            parameter.requires_grad_(False)
    return network, config_settings(network.config)


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise InputError(
            "timm's models need timm, which is not installed: pip install 'mmvideo[timm]'"
        ) from error
    return timm


def _architecture(model: str, weights: str | None) -> tuple[str, dict[str, Any]]:
    """timm's name of the architecture, and what its config.json says beside."""
    if weights is not None:
        return model, {}
    config = model_config(model)
    return config["architecture"], config


def _timm_pretrained_cfg(model: str, weights: str | None) -> dict[str, Any]:
    timm = _timm()
    name, config = _architecture(model, weights)
    if not timm.is_model(name.partition(".")[0]):
        raise unknown("timm model", name, timm.list_models())
    given: dict[str, Any] = config.get("pretrained_cfg", config)
    if weights is None:
        if lacking := [
            key for key in ("input_size", "mean", "std", "crop_pct", "interpolation") if key not in given
        ]:
            raise InputError(
                f"model '{model}': its config.json does not say {', '.join(lacking)}; add it there"
            )
        return given
    found = timm.get_pretrained_cfg(name)
    if found is None:
        raise InputError(
            f"timm does not know how pictures for '{name}' are made; name the variant, as in "
            f"{name.partition('.')[0]}.TAG"
        )
    return found.to_dict()


def _of_timm(given: dict[str, Any], model: str) -> Picture:
    channels, height, width = given["input_size"]
    mode: Literal["center", "squash", "border"] = given.get("crop_mode") or "center"
    whole = mode == "squash"
    resize = floor(height / given["crop_pct"])
    if channels != 3 or height != width or mode == "border" or (whole and resize != height):
        raise InputError(
            f"model '{model}' takes pictures of {given['input_size']}, crop mode {mode}, share "
            f"{given['crop_pct']}; what is understood is one square, cut from the centre or squeezed"
        )
    framing = Framing(height, whole, None if whole else resize, given["interpolation"])
    return Picture(framing, tuple(given["mean"]), tuple(given["std"]))


def _timm_network(model: str, weights: str | None) -> tuple[nn.Module, dict[str, Any]]:
    timm = _timm()
    name, config = _architecture(model, weights)
    path = Path(weights) if weights is not None else model_file(model, "model.safetensors")
    if path is None or not path.is_file() or path.suffix != ".safetensors":
        raise InputError(f"weights: '{path or model}' is no .safetensors file with weights of '{name}'")
    options = dict(config.get("model_args") or {})
    if config.get("global_pool"):
        options["global_pool"] = config["global_pool"]
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise InputError(f"weights: {path} holds no state dict that can be read: {error}") from error
    own = network.state_dict()
    optional = {key for key in own if key.endswith("num_batches_tracked")}
    unfit = sorted(k for k in own if k not in optional and (k not in state or state[k].shape != own[k].shape))
    if unfit:
        raise InputError(
            f"weights: {path} does not fit '{name}': {len(unfit)} tensors are missing or of another shape "
            f"({', '.join(unfit[:3])} …)"
        )
    network.load_state_dict({key: state[key] for key in own if key in state}, strict=False)
    return network, {"library": "timm", "architecture": name, "options": options}
