"""Pretrained models of video clips: what a checkpoint says of its input, and its vectors of windows.

VideoMAE, V-JEPA 2, ViViT, TimeSformer and VideoPrism of transformers. A vector is the mean over space of the
model's tokens of one tubelet: the few frames that it sees as one step of time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mmvideo.encoders.hidden_layers import Layer, layers_given, states_read
from mmvideo.encoders.processors import Normalise, Picture, picture_of_processor, processor_of
from mmvideo.errors import InputError, unknown
from mmvideo.pretrained import Family, config_settings, load_pretrained, load_whole, model_config, read_once


@dataclass(frozen=True, kw_only=True)
class VideoFamily(Family):
    """How one family's files and outputs are read.

    Args:
        frames, size, tubelet: where config.json has frames a window, pixels a side, frames a tubelet; None: a
            tubelet is one frame.
        order: whether all places of one time come one after another, or all times of one place.
        before: tokens in front that stand for no time.
        pixels: what the network calls its input.
        options: further ones of its call.
        build: those of its making.
    """

    frames: str = "num_frames"
    size: str = "image_size"
    tubelet: str | None = "tubelet_size"
    order: Literal["time first", "place first"] = "time first"
    before: int = 0
    pixels: str = "pixel_values"
    options: tuple[tuple[str, Any], ...] = ()
    build: tuple[tuple[str, Any], ...] = ()


FAMILIES = {
    "videomae": VideoFamily(
        title="VideoMAE", network="VideoMAEModel", input="16 frames of 224 px", gives="every 2 frames",
        masks="fixed window", width=768, parameters=86.2, example="MCG-NJU/videomae-base",
        licence="CC BY-NC 4.0",
    ),
    "vjepa2": VideoFamily(
        title="V-JEPA 2", network="VJEPA2Model", input="to 64 frames of 256 px", gives="every 2 frames",
        masks="equal length", width=1024, parameters=303.9, example="facebook/vjepa2-vitl-fpc64-256",
        frames="frames_per_clip", size="crop_size", pixels="pixel_values_videos",
        options=(("skip_predictor", True),),
    ),
    "vivit": VideoFamily(
        title="ViViT", network="VivitModel", input="32 frames of 224 px", gives="every 2 frames",
        masks="fixed window", width=768, parameters=88.6, example="google/vivit-b-16x2-kinetics400", before=1,
        build=(("add_pooling_layer", False),),
    ),
    "timesformer": VideoFamily(
        title="TimeSformer", network="TimesformerModel", input="8 frames of 224 px", gives="every frame",
        masks="fixed window", width=768, parameters=121.3, example="facebook/timesformer-base-finetuned-k400",
        licence="CC BY-NC 4.0",
        tubelet=None, before=1, order="place first",
    ),
    "videoprism_vision_model": VideoFamily(
        title="VideoPrism", network="VideoPrismVisionModel", input="16 frames of 288 px", gives="every frame",
        masks="fixed window", width=768, parameters=114.4, example="google/videoprism-base-f16r288",
        pixels="pixel_values_videos",
    ),
}  # fmt: skip
"""Kind of model → how it is read."""


@dataclass(frozen=True)
class Video:
    """What a checkpoint was trained to be given.

    Args:
        frames: a window's frames.
        tubelet: how many of them are one step of time.
        exact: it takes windows of that many frames only; else of any number of tubelets up to it.
        rate: frames a second that its preprocessor samples; None: it does not say.
    """

    picture: Picture
    frames: int
    tubelet: int
    exact: bool
    rate: float | None


class VideoNetwork(nn.Module):
    """The vectors of a window of frames under a pretrained network, one for each tubelet."""

    def __init__(
        self, network: nn.Module, family: VideoFamily, video: Video, name: str, layer: Layer = "last"
    ) -> None:
        super().__init__()
        self.network, self.family, self.video = network, family, video
        self.made_by: dict[str, Any] = {**config_settings(network.config), **asdict(video)}
        self.layer, self.layers = layer, 1
        if layer != "last":
            config: Any = network.config
            self.layers = layers_given(layer, int(config.num_hidden_layers), name)
            self.made_by["layer"] = layer
        self.normalise = Normalise(video.picture)
        self.eval()
        side = video.picture.framing.size
        try:
            with torch.no_grad():
                found = self(torch.zeros(1, video.frames, 3, side, side, dtype=torch.uint8))
        except (ValueError, RuntimeError, AssertionError) as error:
            raise InputError(
                f"model '{name}' does not take the {video.frames} frames of {side} pixels that its files "
                f"say: {error}"
            ) from error
        self.features: int = found.shape[2]

    def forward(self, windows: UInt8[Tensor, "W T 3 S S"]) -> Float[Tensor, "W N F"]:
        family, steps = self.family, windows.shape[1] // self.video.tubelet
        given = {family.pixels: self.normalise(windows), **dict(family.options)}
        asked = {} if self.layer == "last" else {"output_hidden_states": True}
        states = [
            state[:, family.before :] for state in states_read(self.layer, self.network(**given, **asked))
        ]
        if family.order == "place first":
            return torch.cat([state.unflatten(1, (-1, steps)).mean(dim=1) for state in states], dim=2)
        return torch.cat([state.unflatten(1, (steps, -1)).mean(dim=2) for state in states], dim=2)


def load_video_model(model: str | None, layer: Layer = "last") -> VideoNetwork:
    """A network that gives vectors of windows of frames.

    Args:
        model: folder or hub name of a model of transformers.
        layer: whose vectors, or `weighted` for those of all, one behind the other.

    Raises:
        InputError: unknown model or layer, a file that is missing, weights that do not fit, or that are no
            safetensors.
    """
    import transformers

    family, video = family_of(model), video_of(model)
    assert model is not None
    cls = getattr(transformers, family.network)
    network: nn.Module = load_whole(cls.from_pretrained, model, **dict(family.build))
    if hasattr(network, "predictor"):  # of V-JEPA's pretraining: no vector comes from it
        del network.predictor
    return VideoNetwork(network, family, video, model, layer)


def refuse_layer(model: str | None, layer: Layer) -> None:
    """
    Raises:
        InputError: the model has no such layer, or its blocks see places and times by turns (VideoPrism).
    """
    if layer == "last":
        return
    name = str(model)
    if family_of(model).network == "VideoPrismVisionModel":
        raise InputError(
            f"layer: the blocks of '{name}' see the places of a frame first, then the times of a place, so "
            f"only the last one's vectors are tubelets'; got {layer}. Leave it at `last`"
        )
    import transformers

    config = load_pretrained(transformers.AutoConfig.from_pretrained, name)
    layers_given(layer, int(config.num_hidden_layers), name)


def family_of(model: str | None) -> VideoFamily:
    """
    Raises:
        InputError: there is no such model, or it is of another kind.
    """
    kind = str(model_config(model).get("model_type"))
    if kind not in FAMILIES:
        raise unknown(f"kind of video model, that of '{model}',", kind, FAMILIES)
    return FAMILIES[kind]


@read_once
def video_of(model: str | None) -> Video:
    """What the checkpoint's own files say of its frames.

    Raises:
        InputError: as `load_video_model`, before any weights are read; or the files contradict each other.
    """
    family, config = family_of(model), model_config(model)
    assert model is not None
    processor = processor_of(model, "video_processor")
    picture = picture_of_processor(processor, model)
    named = [name for name in (family.frames, family.size, family.tubelet) if name is not None]
    if lacking := [name for name in named if config.get(name) is None]:
        raise InputError(
            f"model '{model}': its config.json does not say {', '.join(lacking)}, which the model was "
            "trained with; add it there"
        )
    side, given = config[family.size], picture.framing.size
    if {given} != (set(side) if isinstance(side, list) else {side}):
        raise InputError(
            f"model '{model}' takes pictures of {side} pixels, and its preprocessor makes them of {given}: "
            "its files are not of one checkpoint, and positions would be wrong"
        )
    tubelet = 1 if family.tubelet is None else _first(config[family.tubelet])
    frames = config[family.frames]
    rate = getattr(processor, "fps", None)
    exact = family.masks == "fixed window"
    return Video(picture, frames - frames % tubelet, tubelet, exact, None if rate is None else float(rate))


def _first(value: int | list[int]) -> int:
    return value[0] if isinstance(value, list) else value
