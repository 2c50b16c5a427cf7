"""CNN per frame, LSTM over frames.

After Donahue et al., 2015 (https://arxiv.org/abs/1411.4389) and Ng et al., 2015
(https://arxiv.org/abs/1503.08909).
"""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, UInt8
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.encoders.ahead import Ahead, encoded_frames, options_of, weights_digest
from mmvideo.encoders.backbones import torchvision_backbone
from mmvideo.encoders.tuning import NOTHING, TunedEncoder, tune_network
from mmvideo.errors import InputError
from mmvideo.layers.normalization import GroupNorm
from mmvideo.layers.recurrent import DeltaLstm
from mmvideo.modalities.base import Modality
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.schema import Positive, WeightsFile
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level

Normalization = Literal["unit", "symmetric", "imagenet"]
PIXEL_RANGES: dict[Normalization, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "unit": ((0.0,) * 3, (1.0,) * 3),
    "symmetric": ((0.5,) * 3, (0.5,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation, per RGB channel, taken from pixels in [0, 1]."""

FROM_SCRATCH = (
    "frozen, tune and weights are for torchvision's backbones; backbone 'small' is trained from scratch. "
    "Name one such as 'resnet18', or leave them out"
)


class CnnLstm(TunedEncoder):
    """Stem: CNN features of each frame. Trunk: LSTM states. Clip: masked pooling, never the last state.

    Inputs are uint8 frames (B, T, 3, H, W), which are scaled to the configured pixel range on the device, or
    what `frame_features` made of them before, (B, T, F).
    """

    mean: Tensor
    std: Tensor
    cnn: nn.Module

    takes: ClassVar[str] = "visual"

    class Config(TunedEncoder.Config):
        """The CNN, what it is given, and how much of it is trained."""

        backbone: str = "small"
        """`small` (from scratch), or a torchvision classification model such as `resnet18`."""
        weights: WeightsFile = None
        """For a torchvision backbone: `DEFAULT`, a weights name or a state-dict file. None: from scratch."""
        frozen: bool = False
        """Leave the backbone as loaded, in evaluation mode; only what stands on it is trained."""
        cached: bool = False
        """Compute the frozen backbone's features once, keep them in the store and read them instead of
        frames. Only without augmentation of frames. FLOPs and latency are then those of what stands on the
        features."""
        picture_size: Positive = 56
        """Side in pixels of the square the model sees."""
        normalization: Normalization = "symmetric"
        """Pixel range: [0, 1], [-1, 1], or ImageNet's mean and standard deviation."""
        pool: Literal["max", "average"] = "max"
        """Pooling inside and at the end of the small CNN."""
        channels: tuple[Positive, ...] = (24, 48, 64)
        """Widths of the small CNN's stages; each halves the resolution."""

        @model_validator(mode="after")
        def _cached_is_frozen(self) -> CnnLstm.Config:
            if self.cached and not self.unchanging:
                raise ValueError(
                    "cached is for a backbone that does not change; set frozen too, without tune"
                )
            return self

    @classmethod
    def needs(cls, config: Config) -> Pictures:
        return Pictures(config.picture_size, unchanging=config.cached)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        if config.backbone == "small":
            raise InputError(FROM_SCRATCH)
        return torchvision_backbone(config.backbone, config.weights, frozen=True)[0]

    @classmethod
    def encode_ahead(cls, config: Config, modality: Modality, device: torch.device) -> Ahead | None:
        if not config.cached:
            return None
        assert isinstance(modality, Visual)
        encoder = cls(config, None, 1, frozenset({"stem"})).eval().to(device)  # no width is used here
        made_by = {**options_of(config), "weights": weights_digest(encoder.cnn)}
        return encoded_frames(encoder, made_by, modality, device)

    def __init__(self, config: Config, told: None, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        mean, std = PIXEL_RANGES[config.normalization]
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)
        if config.backbone == "small":
            if config.frozen or config.weights is not None or config.tune != NOTHING:
                raise InputError(FROM_SCRATCH)
            self.cnn = SmallCnn(config.channels, config.pool)
            self.features = SmallCnn.features(config.channels)
        else:
            self.cnn, self.features = torchvision_backbone(
                config.backbone, config.weights, frozen=config.frozen or config.tune != NOTHING
            )
            tune_network(self.cnn, config)
        self.project = nn.Sequential(
            nn.Linear(self.features, width), nn.LayerNorm(width), nn.Dropout(config.dropout)
        )
        self.lstm = DeltaLstm(width, width) if self.needs_trunk else None

    @property
    def pretrained(self) -> nn.Module | None:
        return self.cnn if self.config.weights is not None else None

    def stem(self, inputs: Tokens) -> Tokens:
        features = inputs.values
        if features.ndim == 5:
            frames = inputs.values.masked_fill(~inputs.mask[..., None, None, None], 0)
            features = self.frame_features(frames.flatten(0, 1)).unflatten(0, inputs.mask.shape)
        return inputs.replace_values(self.project(features))

    def frame_features(self, frames: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N F"]:
        """The backbone's pooled features of each frame."""
        scaled = (frames - self.mean) / self.std
        return self.cnn(scaled.contiguous(memory_format=torch.channels_last))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.lstm is not None
        return stem.replace_values(self.lstm(stem.values))  # causal: padding cannot reach the real frames


class SmallCnn(nn.Module):
    """Convolution, activation, pooling, norm; then a 5×5 grid, so that *where* survives for the LSTM."""

    GRID = 5

    def __init__(self, channels: tuple[int, ...], pool: Literal["max", "average"]) -> None:
        super().__init__()
        halve = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[pool]
        stages: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False)):
            kernel, stride = (5, 2) if index == 0 else (3, 1)
            stages += [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True)]
            stages += [halve(2)] if index < len(channels) - 1 else []
            stages += [GroupNorm(1, outputs)]  # per frame: batch norm would tie a clip to its batch-mates
        grid = {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d}[pool](self.GRID)
        self.stages = nn.Sequential(*stages, grid, nn.Flatten())

    @classmethod
    def features(cls, channels: tuple[int, ...]) -> int:
        return channels[-1] * cls.GRID**2

    def forward(self, frames: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N F"]:
        return self.stages(frames)
