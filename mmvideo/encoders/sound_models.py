"""Pretrained models of sound: what a checkpoint says of its input, and its tokens of a waveform, with times.

Whisper's encoder, Wav2Vec2, HuBERT, WavLM, Wav2Vec2-BERT, AST and CLAP's model of sound, of transformers.
Rate, window and normalisation are read off the checkpoint's own files, never off a class's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mmvideo.errors import InputError, unknown
from mmvideo.pretrained import (
    Family,
    config_settings,
    load_pretrained,
    load_whole,
    model_config,
    preprocessor,
    read_once,
)

Layer = Literal["last", "weighted"] | int
WINDOWS_AT_ONCE = 16
PLAIN: dict[str, Any] = {
    "apply_spec_augment": False, "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0,
    "encoder_layerdrop": 0.0, "add_adapter": False,
}  # fmt: skip
"""Fields of configurations, where they are: without what pretraining masks and drops at random, and without
an adapter to a decoder's rate."""


@dataclass(frozen=True)
class _Piece:
    """A window of a waveform: its first sample, its samples, and how many of its tokens are real."""

    start: int
    samples: Tensor
    real: int


class SoundNetwork(nn.Module):
    """A network's tokens of waveforms of any length: windows as long as it was trained on, one after another,
    cut so that tokens are everywhere equally far apart.

    Args:
        name: folder or hub name.
        config: the checkpoint's, of the part that hears.
        given: its preprocessor file.
        layer: see `SoundModel.Config`.
        window_seconds: for networks that take any length.
    """

    says: ClassVar[tuple[str, ...]] = ("sampling_rate",)
    """What the preprocessor file has to say."""
    same: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Fields of the preprocessor file and of the configuration that have to agree."""
    equal_lengths = False
    """Only windows of one length go through the network together: padding would change them."""
    least = 1
    """Samples below which silence is appended."""
    window: int
    step: float
    first: float
    """Samples of a window, between the centres of two tokens, and before the first centre."""
    tokens: int
    """Tokens of a whole window."""

    def __init__(
        self, name: str, config: Any, given: dict[str, Any], layer: Layer, window_seconds: float
    ) -> None:
        super().__init__()
        import transformers

        self.rate, self.layer = int(given["sampling_rate"]), layer
        self.extractor = load_pretrained(transformers.AutoFeatureExtractor.from_pretrained, name)
        self.network = self.load(name)
        self.layers = self.layer_count(config, layer, name)
        self.features = self.layers * int(config.hidden_size)
        heard = {k: v for k, v in given.items() if k != "mel_filters"}
        self.made_by = {
            **config_settings(config),
            "preprocessor": heard,
            "layer": layer,
        }
        self.prepare(config, window_seconds)
        self.eval()

    @staticmethod
    def layer_count(config: Any, layer: Layer, name: str) -> int:
        """How many layers are given of each token.

        Raises:
            InputError: there is no such layer.
        """
        there = int(config.num_hidden_layers) + 1
        if isinstance(layer, int) and not -there <= layer < there:
            raise InputError(
                f"model '{name}' has layers 0 (before its blocks) to {there - 1} (its last block); got "
                f"layer {layer}"
            )
        return there if layer == "weighted" else 1

    def load(self, name: str) -> nn.Module:
        """The network with its weights."""
        import transformers

        kind = getattr(transformers, FAMILIES[model_config(name)["model_type"]].network)
        network: nn.Module = load_whole(kind.from_pretrained, name, config=_config(name))
        return network

    def prepare(self, config: Any, window_seconds: float) -> None:
        """Set what windows and tokens are."""
        raise NotImplementedError(f"{type(self).__name__} defines no prepare")

    def real_tokens(self, samples: int) -> int:
        """Tokens that so many samples give: those whose centre lies in them."""
        return ceil((samples - self.first) / self.step)

    def states(self, pieces: Sequence[Tensor], **asked: bool) -> Any:
        """The network's output for some windows."""
        raise NotImplementedError(f"{type(self).__name__} defines no states")

    def columns(self, state: Tensor) -> Tensor:
        """A layer's state of each window in order of time, (B, T, F)."""
        return state

    def forward(self, sounds: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Of each waveform (S,), not empty: tokens (N, F), or (N, layers · F), and their centres (N,) in
        seconds.

        A waveform's tokens do not depend on those beside it.
        """
        cut = [list(self._cut(sound.float())) for sound in sounds]
        pieces = [piece for windows in cut for piece in windows]
        found: list[Tensor] = [torch.empty(0)] * len(pieces)
        for group in self._together([len(piece.samples) for piece in pieces]):
            asked = {} if self.layer == "last" else {"output_hidden_states": True}
            states = self._asked(self.states([pieces[i].samples for i in group], **asked))
            for i, state in zip(group, states, strict=True):
                found[i] = state[: pieces[i].real].flatten(1)
        told, tokens = [], iter(found)
        for windows in cut:
            times = [piece.start + self.first + self.step * torch.arange(piece.real) for piece in windows]
            told.append((torch.cat([next(tokens) for _ in windows]), torch.cat(times).double() / self.rate))
        return told

    def _asked(self, out: Any) -> Tensor:
        """The layers that are asked for, (B, T, layers, F)."""
        if self.layer == "last":
            return self.columns(out.last_hidden_state)[:, :, None]
        chosen = out.hidden_states if self.layer == "weighted" else [out.hidden_states[self.layer]]
        return torch.stack([self.columns(state) for state in chosen], dim=2)

    def _cut(self, sound: Tensor) -> Iterator[_Piece]:
        sound, start = self.normalised(sound), 0
        while start < len(sound):
            samples = sound[start : start + self.window]
            real = min(self.tokens, self.real_tokens(len(samples)))
            if real > 0 or not start:
                yield _Piece(start, pad(samples, (0, max(0, self.least - len(samples)))), max(1, real))
            start += round(self.tokens * self.step)

    def normalised(self, sound: Tensor) -> Tensor:
        """The whole waveform, before it is cut."""
        return sound

    def _together(self, lengths: list[int]) -> Iterator[list[int]]:
        """Which windows go through the network together."""
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        group: list[int] = []
        for i in order:
            if group and (
                len(group) == WINDOWS_AT_ONCE or (self.equal_lengths and lengths[i] != lengths[group[0]])
            ):
                yield group
                group = []
            group.append(i)
        if group:
            yield group

    def _extracted(self, pieces: Sequence[Tensor]) -> dict[str, Tensor]:
        """What the family's own extractor makes of windows, on the network's device."""
        arrays = [piece.detach().cpu().numpy() for piece in pieces]
        with torch.autocast("cpu", enabled=False):  # spectra are beyond 16 bits
            made = self.extractor(arrays, sampling_rate=self.rate, return_tensors="pt")
        return {name: values.to(pieces[0].device) for name, values in made.items()}


class WhisperSound(SoundNetwork):
    """Windows of 30 s, filled with silence; a token each 20 ms, the first centred on the first sample."""

    says = ("sampling_rate", "feature_size", "hop_length", "n_fft", "chunk_length")
    same = (("feature_size", "num_mel_bins"),)

    def load(self, name: str) -> nn.Module:
        whole: Any = super().load(name)
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

    def load(self, name: str) -> nn.Module:
        network = super().load(name)
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
    return FAMILIES[model_config(model)["model_type"]].hears(
        model, _heard(model), given, layer, window_seconds
    )


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
    given, config = preprocessor(model, "feature_extractor", *family.says), _heard(model)
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


def _config(model: str) -> Any:
    import transformers

    config = load_pretrained(transformers.AutoConfig.from_pretrained, model)
    for name, value in PLAIN.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return config


def _heard(model: str) -> Any:
    """The configuration of the part of a model that hears."""
    config = _config(model)
    return getattr(config, "audio_config", config)
