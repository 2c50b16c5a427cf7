"""A pretrained model of sound on the waveform."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from typing import ClassVar

import torch
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import Ahead, options_of, weights_digest
from mmvideo.encoders.sound_models import FAMILIES, Layer, load_sound_model, sound_of
from mmvideo.encoders.tuning import NOTHING, TunedEncoder, tune_network
from mmvideo.errors import InputError
from mmvideo.layers.trunk import Trunk, make_trunk
from mmvideo.modalities.audio import Audio, Sound
from mmvideo.modalities.base import Modality
from mmvideo.schema import PositiveFloat, WeightsFile
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level

HOPS_A_SECOND = 50


class SoundModel(TunedEncoder):
    """Stem: the model's vector of each column of sound, projected. Trunk: none, LSTM or transformer. Clip:
    pooled.

    Inputs are waveforms at the model's rate, cut into items of `hop` samples (B, N, hop), of which the last
    is filled with silence; or what the model made of whole clips before, (B, N, F). Columns and their times
    are the model's own, whatever the hop.
    """

    takes: ClassVar[str] = "audio"
    families = FAMILIES

    class Config(TunedEncoder.Config):
        """The model, what of it is read, how much of it is trained, and what stands on it."""

        model: WeightsFile = None
        """Local folder or hub name of a Whisper, Wav2Vec2, HuBERT, WavLM, Wav2Vec2-BERT, AST or CLAP
        model."""
        cached: bool | None = None
        """Compute the frozen model's vectors of whole clips once, keep them in the store and read them
        instead of sound. None: where the sound is the same in every epoch. FLOPs and latency are then those
        of what stands on the vectors."""
        half: bool = False
        """Keep those vectors in half precision."""
        layer: Layer = "last"
        """Which layer's vectors: the last one's; a number as in transformers' `hidden_states`, 0 before the
        first block; or `weighted`, a learnt softmax-weighted sum of all (Yang et al., 2021,
        https://arxiv.org/abs/2105.01051)."""
        window_seconds: PositiveFloat = 30.0
        """A longer clip is read window by window. For models that take any length; others have their own."""
        trunk: Trunk = "none"

        @model_validator(mode="after")
        def _cached_is_frozen(self) -> SoundModel.Config:
            if self.cached and not self.unchanging:
                raise ValueError("cached is for a model that does not change; set frozen too, without tune")
            return self

        @model_validator(mode="after")
        def _what_is_tuned_is_read(self) -> SoundModel.Config:
            if self.tune != NOTHING and self.layer not in ("last", "weighted", -1):
                raise ValueError(
                    f"tune trains the last blocks, which layer {self.layer} leaves unread; read `last` or "
                    "`weighted`, or set frozen=False"
                )
            return self

    @classmethod
    def needs(cls, config: Config) -> Sound:
        return Sound(unchanging=config.cached is True, of_model=partial(_rate_and_hop, config.model))

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        sound_of(config.model, config.layer)
        super().refuse_unusable(config)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        return load_sound_model(config.model, config.layer, config.window_seconds).network

    @classmethod
    def encode_ahead(cls, config: Config, modality: Modality, device: torch.device) -> Ahead | None:
        assert isinstance(modality, Audio)
        audio = modality
        if not (config.unchanging and not audio.config.changing if config.cached is None else config.cached):
            return None
        encoder = cls(config, None, 1, frozenset({"stem"})).eval().to(device)  # no width is used here

        def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
            samples = torch.from_numpy(audio.samples(clip, stored)).to(device)
            if not len(samples):
                return torch.zeros(0, encoder.model.features), torch.zeros(0)
            return encoder.columns([samples])[0]

        weights = weights_digest(encoder.model.network)
        made_by = {**options_of(config), **encoder.model.made_by, "weights": weights}
        return Ahead(encode, made_by, config.half)

    def __init__(self, config: Config, told: None, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.model = load_sound_model(config.model, config.layer, config.window_seconds)
        tune_network(self.model.network, config)
        self.hop = _rate_and_hop(config.model)[1]
        self.layers = nn.Parameter(torch.zeros(self.model.layers)) if config.layer == "weighted" else None
        features = self.model.features // self.model.layers
        self.project = nn.Sequential(
            nn.LayerNorm(features, elementwise_affine=False),
            nn.Linear(features, width),
            nn.LayerNorm(width),
            nn.Dropout(config.dropout),
        )
        self.on_top = make_trunk(config.trunk, width, config.dropout) if self.needs_trunk else None

    @property
    def pretrained(self) -> nn.Module:
        return self.model.network

    def stem(self, inputs: Tokens) -> Tokens:
        tokens = self._heard(inputs)
        values = tokens.values
        if self.layers is not None:
            values = torch.softmax(self.layers, dim=0) @ values.unflatten(2, (self.model.layers, -1))
        return tokens.replace_values(self.project(values))

    def _heard(self, inputs: Tokens) -> Tokens:
        """The model's vectors, (B, N, F), zeros in padding."""
        size = inputs.values.shape[2]
        if size == self.model.features:
            return inputs.replace_values(inputs.values.masked_fill(~inputs.mask[..., None], 0.0))
        if size != self.hop:
            raise InputError(
                f"model '{self.config.model}' takes sound at {self.model.rate} Hz in items of {self.hop} "
                f"samples, or its vectors of {self.model.features} numbers; got items of {size}"
            )
        counts: list[int] = inputs.mask.sum(dim=1).tolist()
        rows = [row for row, count in enumerate(counts) if count]
        found = self.columns([inputs.values[row, : counts[row]].flatten() for row in rows])
        longest = max([1, *(len(times) for _, times in found)])
        values = inputs.values.new_zeros(len(counts), longest, self.model.features)
        time = inputs.time.new_zeros(len(counts), longest)
        mask = torch.zeros_like(time, dtype=torch.bool)
        for row, (columns, times) in zip(rows, found, strict=True):
            values[row, : len(times)], mask[row, : len(times)] = columns.to(values.dtype), True
            time[row, : len(times)] = times.to(time)
        return Tokens(values, mask, time)

    def columns(self, sounds: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """The model's vectors of each waveform, (N, F), and their centres (N,) in seconds."""
        return self.model(sounds)

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.on_top is not None
        return self.on_top(stem)


def _rate_and_hop(model: str | None) -> tuple[int, int]:
    """Hops are of an odd number of samples: no model's vector is, so that the two inputs are told apart."""
    rate = int(sound_of(model)["sampling_rate"])
    return rate, rate // HOPS_A_SECOND | 1
