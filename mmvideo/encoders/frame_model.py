"""A pretrained model of pictures on every frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mmvideo.encoders.ahead import Ahead, encoded_frames
from mmvideo.encoders.picture_models import (
    FAMILIES,
    TIMM,
    PictureModel,
    load_picture_model,
    picture_of,
    refuse_layer,
)
from mmvideo.encoders.pretrained_encoder import LayerConfig, PretrainedEncoder
from mmvideo.modalities.picture_changes import Framing
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.pretrained import Family
from mmvideo.schema import WeightsFile, added
from mmvideo.types import Tokens


class FrameModel(PretrainedEncoder):
    """Stem: the model's vector of each frame, projected. Trunk: none, LSTM or transformer. Clip: pooled.

    Inputs are uint8 frames (B, T, 3, H, W), framed as the model's own files say, or what `frame_features`
    made of them before, (B, T, F).
    """

    takes: ClassVar[str] = "visual"
    families: ClassVar[Mapping[str, Family]] = {**FAMILIES, "timm": TIMM}

    class Config(LayerConfig):
        """Where the model is, how much of it is trained, and what stands on it."""

        model: WeightsFile = None
        """Local folder or hub name of a CLIP, SigLIP, DINOv2, DINOv3 or timm model; or timm's name, with
        `weights`."""
        weights: WeightsFile = None
        """For timm's name: a .safetensors file."""
        half: bool = added(False, before=False)
        """Keep the vectors that are `cached` in half precision."""

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        framing, in_views = partial(_framing, config), config.views > 0
        return Pictures(unchanging=config.keeps_one, in_views=in_views, framing_of=framing)

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        picture_of(config.model, config.weights)
        refuse_layer(config.model, config.weights, config.layer)
        super().refuse_unusable(config)

    @classmethod
    def load_model(cls, config: Config, told: None) -> PictureModel:
        return load_picture_model(config.model, config.weights, config.layer)

    @classmethod
    def steady(cls, modality: Visual) -> bool:
        return not modality.config.changes_frames

    def encoding(self, modality: Visual, device: torch.device) -> Ahead:
        return encoded_frames(self, self.made_by(modality), modality, device, half=self.config.half)

    def tokens(self, inputs: Tokens) -> Tokens:
        mask, frames = inputs.mask, inputs.values
        if frames.ndim == 3:
            return inputs
        features = torch.zeros(*mask.shape, self.features, device=frames.device)
        places = inputs.on_cpu()[0].nonzero().T  # a mask as an index would wait for the device
        if places.shape[1]:  # the model reads real frames only
            rows, columns = places.to(frames.device, non_blocking=True)
            made = self.frame_features(frames[rows, columns])
            features[rows, columns] = made.to(features.dtype)
        return inputs.replace_values(features)

    def frame_features(self, frames: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N F"]:
        """The model's vector of each frame."""
        return self.model(frames)


def _framing(config: FrameModel.Config) -> Framing:
    return picture_of(config.model, config.weights).framing
