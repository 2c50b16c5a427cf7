"""Pretrained models of sound, family by family: what each is given, and what its tokens stand for.

Whisper's encoder, Wav2Vec2, HuBERT, WavLM, Wav2Vec2-BERT, AST and CLAP's model of sound, of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from mmvideo.encoders.sound_network import Layer, SoundNetwork, heard_config
from mmvideo.errors import InputError, unknown
from mmvideo.pretrained import Family, model_config, preprocessor, read_once


class WhisperSound(SoundNetwork):
    """Windows of 30 s, filled with silence; a token each 20 ms, the first centred on the first sample."""

    says = ("sampling_rate", "feature_size", "hop_length", "n_fft", "chunk_length")
    same = (("feature_size", "num_mel_bins"),)

    def load(self, name: str, kind: str) -> nn.Module:
        whole: Any = super().load(name, kind)
        encoder: nn.Module = whole.get_encoder()
        return encoder

    def prepare(self, config: Any, window_seconds: float) -> None:
        self.window, self.tokens = self.extractor.n_samples, config.max_source_positions
        self.step, self.first = self.window / self.tokens, 0

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        return self.network(**self._extracted(pieces), **asked)


class WaveSound(SoundNetwork):
    """Wav2Vec2, HuBERT, WavLM: waveforms of any length, normalised over the whole clip.

    Where the convolutions are normed over time ("group"), windows of another length never share a batch.
    """

    says = ("sampling_rate", "do_normalize")

    def prepare(self, config: Any, window_seconds: float) -> None:
        self.equal_lengths = config.feat_extract_norm == "group"
        kernels, strides = config.conv_kernel, config.conv_stride
        self.convolutions = list(zip(kernels, strides, strict=True))
        step: int = prod(strides)
        self.least = 1 + sum((k - 1) * prod(strides[:i]) for i, k in enumerate(kernels))
        self.step, self.first = step, self.least / 2
        self.tokens = max(1, round(window_seconds * self.rate / step))
        self.window = self.tokens * step + max(0, self.least - step)

    def real_tokens(self, samples: int) -> int:
        for kernel, stride in self.convolutions:
            samples = (samples - kernel) // stride + 1
        return samples

    def normalised(self, sound: Tensor) -> Tensor:
        if not self.extractor.do_normalize:
            return sound
        return (sound - sound.mean()) / (sound.var(correction=0) + 1e-7).sqrt()

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        values = nn.utils.rnn.pad_sequence(list(pieces), batch_first=True)
        if self.equal_lengths:
            return self.network(values, **asked)
        lengths = torch.tensor([len(piece) for piece in pieces], device=values.device)
        mask = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        return self.network(values, attention_mask=mask.long(), **asked)


class WaveBertSound(SoundNetwork):
    """Wav2Vec2-BERT: mel columns of any length, normalised window by window; two columns a token."""

    says = ("sampling_rate", "num_mel_bins", "stride")

    def prepare(self, config: Any, window_seconds: float) -> None:
        shift, length, columns = self.rate // 100, self.rate // 40, self.extractor.stride
        step, self.least = columns * shift, length + (columns - 1) * shift
        self.step, self.first = step, self.least / 2
        self.tokens = max(1, round(window_seconds * self.rate / step))
        self.window = self.tokens * step + self.least - step

    def real_tokens(self, samples: int) -> int:
        return (samples - self.least) // int(self.step) + 1

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        return self.network(**self._extracted(pieces), **asked)


class AstSound(SoundNetwork):
    """Audio Spectrogram Transformer: 10.24 s of mel columns, filled up before they are normalised.

    Its patches come frequency first; those of one time are averaged. Silence is heard as it was in training,
    and its tokens are left out.
    """

    says = ("sampling_rate", "num_mel_bins", "max_length", "do_normalize", "mean", "std")
    same = (("num_mel_bins", "num_mel_bins"), ("max_length", "max_length"))

    def prepare(self, config: Any, window_seconds: float) -> None:
        shift, length = self.rate // 100, self.rate // 40  # 10 and 25 ms, as Kaldi has them
        self.least, self.window = length, config.max_length * shift
        self.step, self.first = config.time_stride * shift, ((config.patch_size - 1) * shift + length) / 2
        self.tokens = (config.max_length - config.patch_size) // config.time_stride + 1

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        return self.network(**self._extracted(pieces), **asked)

    def columns(self, state: Tensor) -> Tensor:
        return state[:, 2:].unflatten(1, (-1, self.tokens)).mean(dim=1)


class ClapSound(SoundNetwork):
    """CLAP: 10 s of mel columns, filled up as its file says, often by repetition, whose tokens are left out.

    32 columns of two bands, which are averaged.
    """

    says = (
        "sampling_rate", "feature_size", "hop_length", "fft_window_size", "max_length_s", "frequency_min",
        "frequency_max", "truncation", "padding",
    )  # fmt: skip
    same = (("feature_size", "num_mel_bins"),)

    @staticmethod
    def layer_count(config: Any, layer: Layer, name: str) -> int:
        if layer != "last":
            raise InputError(
                f"model '{name}' has layers of different widths and times; layer is 'last' for it"
            )
        return 1

    def load(self, name: str, kind: str) -> nn.Module:
        network = super().load(name, kind)
        heard: nn.Module = getattr(network, "audio_model", network)
        return heard

    def prepare(self, config: Any, window_seconds: float) -> None:
        self.window = self.extractor.nb_max_samples
        sections = config.spec_size // config.num_mel_bins
        stride = config.patch_stride[1] if isinstance(config.patch_stride, list) else config.patch_stride
        self.tokens = sections * (config.spec_size // stride // 2 ** (len(config.depths) - 1))
        self.step = self.window / self.tokens
        self.first = self.step / 2

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        made = self._extracted(pieces)["input_features"].float()
        nothing_longer = torch.zeros(len(pieces), 1, dtype=torch.bool, device=made.device)
        return self.network(made, is_longer=nothing_longer, **asked)

    def columns(self, state: Tensor) -> Tensor:
        return state.mean(dim=2).transpose(1, 2)


@dataclass(frozen=True, kw_only=True)
class SoundFamily(Family):
    """Models that hear in one way."""

    hears: type[SoundNetwork]


WAVES: dict[str, Any] = {
    "input": "16 kHz, any length", "gives": "every 20 ms", "masks": "equal length", "width": 768,
    "parameters": 94.4, "hears": WaveSound,
}  # fmt: skip
CLAP: dict[str, Any] = {
    "title": "CLAP", "input": "48 kHz, 10 s", "gives": "every 313 ms", "masks": "fixed window", "width": 768,
    "parameters": 27.5, "example": "laion/clap-htsat-unfused", "hears": ClapSound,
}  # fmt: skip
FAMILIES = {
    "whisper": SoundFamily(
        title="Whisper's encoder", network="WhisperModel", input="16 kHz, 30 s", gives="every 20 ms",
        masks="fixed window", width=384, parameters=8.2, example="openai/whisper-tiny", hears=WhisperSound,
    ),
    "wav2vec2": SoundFamily(
        title="Wav2Vec2", network="Wav2Vec2Model", example="facebook/wav2vec2-base", **WAVES
    ),
    "hubert": SoundFamily(
        title="HuBERT", network="HubertModel", example="facebook/hubert-base-ls960", **WAVES
    ),
    "wavlm": SoundFamily(title="WavLM", network="WavLMModel", example="microsoft/wavlm-base", **WAVES),
    "wav2vec2-bert": SoundFamily(
        title="Wav2Vec2-BERT", network="Wav2Vec2BertModel", input="16 kHz, any length", gives="every 20 ms",
        masks="exact", width=1024, parameters=580.5, example="facebook/w2v-bert-2.0", hears=WaveBertSound,
    ),
    "audio-spectrogram-transformer": SoundFamily(
        title="AST", network="ASTModel", input="16 kHz, 10.24 s", gives="every 100 ms", masks="fixed window",
        width=768, parameters=86.2, example="MIT/ast-finetuned-audioset-10-10-0.4593", hears=AstSound,
    ),
    "clap": SoundFamily(network="ClapModel", **CLAP),
    "clap_audio_model": SoundFamily(network="ClapAudioModel", **CLAP),
}  # fmt: skip
"""Kind of model → what it is and how it hears."""


def load_sound_model(model: str | None, layer: Layer = "last", window_seconds: float = 30.0) -> SoundNetwork:
    """A network that gives tokens of sound.

    Args:
        model: folder or hub name of one of transformers' models.

    Raises:
        InputError: unknown model, a file that is missing, or weights that do not fit.
    """
    given = sound_of(model)
    assert model is not None
    family = FAMILIES[model_config(model)["model_type"]]
    return family.hears(model, family.network, heard_config(model), given, layer, window_seconds)


@read_once
def sound_of(model: str | None, layer: Layer = "last") -> dict[str, Any]:
    """What the checkpoint's preprocessor file says of its sound.

    Raises:
        InputError: as `load_sound_model`, before any weights are read.
    """
    kind = model_config(model).get("model_type")
    assert model is not None
    if kind not in FAMILIES:
        raise unknown(f"kind of sound model, that of '{model}',", str(kind), FAMILIES)
    family = FAMILIES[kind].hears
    given, config = preprocessor(model, "feature_extractor", *family.says), heard_config(model)
    family.layer_count(config, layer, model)
    pairs = [(key, given[key], getattr(config, own)) for key, own in family.same]
    if kind == "whisper":
        columns = given["chunk_length"] * given["sampling_rate"] // given["hop_length"]
        pairs.append(("chunk_length", columns, 2 * config.max_source_positions))
    for key, says, takes in pairs:
        if says != takes:
            raise InputError(
                f"model '{model}' does not take what its preprocessor gives: by {key} that is {says}, and "
                f"the model takes {takes}"
            )
    return given
