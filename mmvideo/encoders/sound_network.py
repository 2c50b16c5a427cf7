"""A pretrained network's tokens of waveforms of any length, window by window, with their times.

Rate, window and normalisation are read off the checkpoint's own files, never off a class's defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mmvideo.encoders.hidden_layers import layers_given, states_read
from mmvideo.pretrained import config_settings, load_pretrained, load_whole

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
        kind: the name of its class in transformers.
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
        self, name: str, kind: str, config: Any, given: dict[str, Any], layer: Layer, window_seconds: float
    ) -> None:
        super().__init__()
        import transformers

        self.rate, self.layer = int(given["sampling_rate"]), layer
        self.extractor = load_pretrained(transformers.AutoFeatureExtractor.from_pretrained, name)
        self.network = self.load(name, kind)
        self.layers = self.layer_count(config, layer, name)
        self.features = self.layers * int(config.hidden_size)
        heard = {k: v for k, v in given.items() if k != "mel_filters"}
        self.made_by = {**config_settings(config), "preprocessor": heard, "layer": layer}
        self.prepare(config, window_seconds)
        self.eval()

    @staticmethod
    def layer_count(config: Any, layer: Layer, name: str) -> int:
        """How many layers are given of each token, as `layers_given`."""
        return layers_given(layer, int(config.num_hidden_layers), name)

    def load(self, name: str, kind: str) -> nn.Module:
        """The network with its weights."""
        import transformers

        load = getattr(transformers, kind).from_pretrained
        network: nn.Module = load_whole(load, name, config=without_masking(name))
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
        return torch.stack([self.columns(state) for state in states_read(self.layer, out)], dim=2)

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


def without_masking(model: str) -> Any:
    """The configuration of a model, as `PLAIN` says."""
    import transformers

    config = load_pretrained(transformers.AutoConfig.from_pretrained, model)
    for name, value in PLAIN.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return config


def heard_config(model: str) -> Any:
    """The configuration of the part of a model that hears."""
    config = without_masking(model)
    return getattr(config, "audio_config", config)
