"""A pretrained model of pictures on every frame."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.encoders.ahead import Ahead, encoded_frames, options_of, weights_digest
from mmvideo.encoders.picture_models import FAMILIES, TIMM, load_picture_model, picture_of
from mmvideo.encoders.tuning import TunedEncoder, tune_network
from mmvideo.layers.trunk import Trunk, make_trunk
from mmvideo.modalities.base import Modality
from mmvideo.modalities.pictures import Framing
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.pretrained import Family
from mmvideo.schema import WeightsFile, added
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level


class FrameModel(TunedEncoder):
    """Stem: the model's vector of each frame, projected. Trunk: none, LSTM or transformer. Clip: pooled.

    Inputs are uint8 frames (B, T, 3, H, W), framed as the model's own files say, or what `frame_features`
    made of them before, (B, T, F).
    """

    takes: ClassVar[str] = "visual"
    families: ClassVar[Mapping[str, Family]] = {**FAMILIES, "timm": TIMM}

    class Config(TunedEncoder.Config):
        """The model, how much of it is trained, and what stands on it."""

        model: WeightsFile = None
        """Local folder or hub name of a CLIP, SigLIP, DINOv2, DINOv3 or timm model; or timm's name, with
        `weights`."""
        weights: WeightsFile = None
        """For timm's name: a .safetensors file."""
        cached: bool | None = None
        """Compute the frozen model's vectors once, keep them in the store and read them instead of frames.
        None: where the frames are not augmented and evaluated in one crop. FLOPs and latency are then those
        of what stands on the vectors."""
        half: bool = added(False, before=False)
        """Keep those vectors in half precision."""
        trunk: Trunk = "none"

        @model_validator(mode="after")
        def _cached_is_frozen(self) -> FrameModel.Config:
            if self.cached and not self.unchanging:
                raise ValueError("cached is for a model that does not change; set frozen too, without tune")
            return self

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        return Pictures(unchanging=config.cached is True, framing_of=partial(_framing, config))

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        picture_of(config.model, config.weights)
        super().refuse_unusable(config)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        return load_picture_model(config.model, config.weights).network

    @classmethod
    def encode_ahead(cls, config: Config, modality: Modality, device: torch.device) -> Ahead | None:
        assert isinstance(modality, Visual)
        cached = (
            config.unchanging and not modality.config.changes_frames
            if config.cached is None
            else config.cached
        )
        if not cached:
            return None
        encoder = cls(config, None, 1, frozenset({"stem"})).eval().to(device)  # no width is used here
        weights = weights_digest(encoder.model.network)
        made_by = {**options_of(config), **encoder.model.made_by, "weights": weights}
        return encoded_frames(encoder, made_by, modality, device, half=config.half)

    def __init__(self, config: Config, told: None, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.model = load_picture_model(config.model, config.weights)
        tune_network(self.model.network, config)
        self.features = self.model.features
        self.project = nn.Sequential(
            nn.LayerNorm(self.features, elementwise_affine=False),
            nn.Linear(self.features, width),
            nn.LayerNorm(width),
            nn.Dropout(config.dropout),
        )
        self.on_top = make_trunk(config.trunk, width, config.dropout) if self.needs_trunk else None

    @property
    def pretrained(self) -> nn.Module:
        return self.model.network

    def stem(self, inputs: Tokens) -> Tokens:
        mask, values = inputs.mask, inputs.values
        if values.ndim == 5:
            features = torch.zeros(*mask.shape, self.features, device=values.device)
            if mask.any():  # the model reads real frames only
                features[mask] = self.frame_features(values[mask]).to(features.dtype)
        else:
            features = values.masked_fill(~mask[..., None], 0.0)
        return inputs.replace_values(self.project(features))

    def frame_features(self, frames: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N F"]:
        """The model's vector of each frame."""
        return self.model(frames)

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.on_top is not None
        return self.on_top(stem)


def _framing(config: FrameModel.Config) -> Framing:
    return picture_of(config.model, config.weights).framing
