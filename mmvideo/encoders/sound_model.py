"""A pretrained model of sound on the waveform."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from pydantic import model_validator
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.pretrained_encoder import PretrainedEncoder
from mmvideo.encoders.sound_models import FAMILIES, load_sound_model, sound_of
from mmvideo.encoders.sound_network import Layer, SoundNetwork
from mmvideo.encoders.tuning import NOTHING
from mmvideo.errors import InputError
from mmvideo.modalities.audio import Audio, Sound
from mmvideo.schema import PositiveFloat
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens

HOPS_A_SECOND = 50


class SoundModel(PretrainedEncoder):
    """Stem: the model's vector of each column of sound, projected. Trunk: none, LSTM or transformer. Clip:
    pooled.

    Inputs are waveforms at the model's rate, cut into items of `hop` samples (B, N, hop), of which the last
    is filled with silence; or what the model made of whole clips before, (B, N, F). Columns and their times
    are the model's own, whatever the hop.
    """

    takes: ClassVar[str] = "audio"
    families = FAMILIES

    class Config(PretrainedEncoder.Config):
        """What of the model is read, how much of it is trained, and what stands on it."""

        layer: Layer = "last"
        """Which layer's vectors: the last one's; a number as in transformers' `hidden_states`, 0 before the
        first block; or `weighted`, a learnt softmax-weighted sum of all (Yang et al., 2021,
        https://arxiv.org/abs/2105.01051)."""
        window_seconds: PositiveFloat = 30.0
        """A longer clip is read window by window. For models that take any length; others have their own."""

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
        return Sound(unchanging=config.keeps_one, of_model=partial(_rate_and_hop, config.model))

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        sound_of(config.model, config.layer)
        super().refuse_unusable(config)

    @classmethod
    def load_model(cls, config: Config, told: None) -> SoundNetwork:
        return load_sound_model(config.model, config.layer, config.window_seconds)

    @classmethod
    def steady(cls, modality: Audio) -> bool:
        return not modality.config.changing

    def encode_clip(
        self, clip: Clip, stored: OpenClip, modality: Audio, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        samples = torch.from_numpy(modality.heard(clip, stored)).to(device)
        if not len(samples):
            return torch.zeros(0, self.features), torch.zeros(0)
        columns: tuple[Tensor, Tensor] = self.model([samples])[0]
        return columns

    def tokens(self, inputs: Tokens) -> Tokens:
        size = inputs.values.shape[2]
        if size == self.features:
            return inputs
        hop = _rate_and_hop(self.config.model)[1]
        if size != hop:
            raise InputError(
                f"model '{self.config.model}' takes sound at {self.model.rate} Hz in items of {hop} "
                f"samples, or its vectors of {self.features} numbers; got items of {size}"
            )
        counts: list[int] = inputs.on_cpu()[0].sum(dim=1).tolist()
        rows = [row for row, count in enumerate(counts) if count]
        found = self.model([inputs.values[row, : counts[row]].flatten() for row in rows])
        longest = max([1, *(len(times) for _, times in found)])
        values = inputs.values.new_zeros(len(counts), longest, self.features)
        time = torch.zeros(len(counts), longest)
        mask = torch.zeros_like(time, dtype=torch.bool)
        for row, (columns, times) in zip(rows, found, strict=True):
            values[row, : len(times)], mask[row, : len(times)] = columns.to(values.dtype), True
            time[row, : len(times)] = times.to(time)
        return Tokens(values, mask, time).to(values.device)


def _rate_and_hop(model: str | None) -> tuple[int, int]:
    """Hops are of an odd number of samples: no model's vector is, so that the two inputs are told apart."""
    rate = int(sound_of(model)["sampling_rate"])
    return rate, rate // HOPS_A_SECOND | 1
