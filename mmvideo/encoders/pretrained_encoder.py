"""What encoders on a pretrained model share: its vectors, made on the spot or ahead; what stands on them."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import torch
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import Ahead, options_of, weights_digest
from mmvideo.encoders.hidden_layers import Layer
from mmvideo.encoders.tuning import TunedEncoder, tune_network
from mmvideo.errors import InputError
from mmvideo.layers.trunk import Trunk, make_trunk
from mmvideo.schema import NotNegativeInt, WeightsFile, added
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level


class PretrainedEncoder(TunedEncoder):
    """Stem: the model's vectors, projected. Trunk: none, LSTM or transformer. Clip: pooled.

    A subclass gives `load_model`, `tokens`, and, for vectors that are computed ahead, `steady` and
    `encode_clip`. Inputs are the modality's, or the model's vectors of whole clips, (B, N, F).
    """

    model: Any
    """What `load_model` gives."""

    class Config(TunedEncoder.Config):
        """The model, whether its vectors are kept, and what stands on it."""

        model: WeightsFile = None
        """Local folder or hub name of a model of one of the families that `mmvideo encoders` lists."""
        cached: bool | None = None
        """Compute the frozen model's vectors of whole clips once, keep them in the store and read them
        instead of its input. None: where that is the same in every epoch and view. FLOPs and latency are then
        those of what stands on the vectors."""
        half: bool = False
        """Keep those vectors in half precision."""
        views: NotNegativeInt = added(0, before=0)
        """Where training changes the input (crops, flips, noise …): keep the frozen model's vectors of each
        clip in so many of these changes, beside those of the clip as it is. A sample in training shows one of
        them, drawn from (seed, epoch, clip); the same ones serve all runs. 0: none; what changes is encoded
        anew in every step."""
        trunk: Trunk = "none"

        @model_validator(mode="after")
        def _cached_is_frozen(self) -> PretrainedEncoder.Config:
            if self.cached and not self.unchanging:
                raise ValueError("cached is for a model that does not change; set frozen too, without tune")
            if self.views and (self.cached is False or not self.unchanging):
                raise ValueError(
                    "views are kept of a model that does not change; set frozen, without tune, and cached "
                    "not to False"
                )
            return self

        @property
        def keeps_one(self) -> bool:
            """Whether the vectors of each clip are kept, and it has to be the same in every epoch for it."""
            return self.cached is True and not self.views

    @classmethod
    def load_model(cls, config: Any, told: Any) -> Any:
        """The model that the options name: a module with its `network`, the `features` of a vector, how many
        `layers` these are of, and what it is `made_by`."""
        raise NotImplementedError(f"{cls.__name__} defines no load_model")

    @classmethod
    def load_network(cls, config: Any) -> nn.Module:
        network: nn.Module = cls.load_model(config, None).network
        return network

    @classmethod
    def steady(cls, modality: Any) -> bool:
        """Whether the modality reads the same of a clip in every epoch and view."""
        raise NotImplementedError(f"{cls.__name__} defines no steady")

    @classmethod
    def encode_ahead(cls, config: Any, modality: Any, device: torch.device) -> Ahead | None:
        if config.views and cls.steady(modality):
            raise InputError(
                f"inputs.{modality.name}: the encoder's views={config.views} keep what training changes, and "
                "nothing of this input changes; switch a change on, or leave views at 0"
            )
        kept = config.unchanging and cls.steady(modality) if config.cached is None else config.cached
        if not (kept or config.views):
            return None
        encoder = cls(config, modality.told, width=1, levels=frozenset({"stem"}))  # no width is used here
        return encoder.eval().to(device).encoding(modality, device)

    @classmethod
    def views_ahead(cls, config: Any) -> int:
        return int(config.views)

    def __init__(self, config: Any, told: Any, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.model = self.load_model(config, told)
        tune_network(self.model.network, config)
        self.features, count = self.model.features, self.model.layers
        self.layers = nn.Parameter(torch.zeros(count)) if count > 1 else None
        self.project = nn.Sequential(
            nn.LayerNorm(self.features // count, elementwise_affine=False),
            nn.Linear(self.features // count, width),
            nn.LayerNorm(width),
            nn.Dropout(config.dropout),
        )
        self.on_top = make_trunk(config.trunk, width, config.dropout) if self.needs_trunk else None

    @property
    def pretrained(self) -> nn.Module:
        network: nn.Module = self.model.network
        return network

    def made_by(self, modality: Any) -> dict[str, Any]:
        """What decides the vectors beside the clip and how the modality reads it."""
        options = options_of(self.config)
        if options.get("layer") == "last":  # what every model gives that says nothing of layers
            del options["layer"]
        return {**options, **self.model.made_by, "weights": weights_digest(self.model.network)}

    def encoding(self, modality: Any, device: torch.device) -> Ahead:
        """How the vectors of whole clips are made."""

        def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
            return self.encode_clip(clip, stored, modality, device)

        return Ahead(encode, self.made_by(modality), self.config.half)

    def encode_clip(
        self, clip: Clip, stored: OpenClip, modality: Any, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """The vectors of a whole clip, (N, F), and their centres (N,) in seconds."""
        raise NotImplementedError(f"{type(self).__name__} defines no encode_clip")

    def tokens(self, inputs: Tokens) -> Tokens:
        """The model's vectors (B, N, F) with their times; inputs that are these already, as they are."""
        raise NotImplementedError(f"{type(self).__name__} defines no tokens")

    def stem(self, inputs: Tokens) -> Tokens:
        tokens = self.tokens(inputs)
        values = tokens.values.masked_fill(~tokens.mask[..., None], 0.0)
        if self.layers is not None:
            values = torch.softmax(self.layers, dim=0) @ values.unflatten(2, (len(self.layers), -1))
        return tokens.replace_values(self.project(values))

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.on_top is not None
        return self.on_top(stem)


class LayerConfig(PretrainedEncoder.Config):
    """Options of an encoder that reads any layer of its model."""

    layer: Layer = added("last", before="last")
    """Which layer's vectors: the last one's, as the model gives them; a number as in transformers'
    `hidden_states`, 0 before the first block; or `weighted`, a learnt softmax-weighted sum of all (Peters et
    al., 2018, https://arxiv.org/abs/1802.05365)."""

    @model_validator(mode="after")
    def _what_is_trained_is_read(self) -> LayerConfig:
        if isinstance(self.layer, int) and not self.unchanging:
            raise ValueError(
                f"layer {self.layer} is for a model that does not change: what is above it would be "
                "trained in vain; set layer to last or weighted, or frozen, without tune"
            )
        return self
