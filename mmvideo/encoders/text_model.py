"""A pretrained model of text on a clip's words: states of word pieces, or vectors of sentences or texts."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import model_validator
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.ahead import Ahead, options_of, weights_digest
from mmvideo.encoders.text_models import (
    FAMILIES,
    Layer,
    Pooling,
    TextFiles,
    load_text_model,
    refuse_tokenizer,
    text_files,
)
from mmvideo.encoders.tuning import TunedEncoder, tune_network
from mmvideo.layers.trunk import Trunk, make_trunk
from mmvideo.modalities.base import Modality
from mmvideo.modalities.text import Text
from mmvideo.modalities.text_windows import PROMPT, TEXT, TextFormat, TextWindows, Unit
from mmvideo.schema import Positive, WeightsFile
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level


class TextModel(TunedEncoder):
    """Stem: the model's states, or its vector of each window, projected. Trunk: none, LSTM or transformer.

    Inputs are word pieces in windows (B, N, 3) int64 (`WindowedPieces.encode`), or what `tokens` made of them
    before, (B, N, F).

    Args:
        told: how many word pieces the tokenizer knows.
    """

    takes: ClassVar[str] = "text"
    families = FAMILIES

    class Config(TunedEncoder.Config):
        """The model, what it makes of a text, and how much of it is trained."""

        model: WeightsFile = None
        """Local folder or hub name of a text model of transformers, or of a sentence-transformers model."""
        unit: Unit = "words"
        """What becomes a token: each word piece (`words`); or the text of each window, pooled: of a
        `sentence` (until . ? ! or a pause of a second), or of all that is said in the clip (`clip`)."""
        pooling: Pooling | None = None
        """How a window's states become one vector. None: as the folder's own files say."""
        instruction: str | None = None
        """A name of the folder's prompts; or what is to be told from the text, put into the folder's prompt
        for that; where it has none, the words that stand before every text. None: the folder's default."""
        layer: Layer = "last"
        """Which layer's states: the last one's; a number as in transformers' `hidden_states`, 0 before the
        first block; or `weighted`, a learnt softmax-weighted sum of all (Peters et al., 2018,
        https://arxiv.org/abs/1802.05365)."""
        window: Positive | None = None
        """Word pieces of a window. None: as many as the model reads at once."""
        cached: bool | None = None
        """Compute the frozen model's tokens once, of the whole clip, keep them in the store and read them
        instead of words. None: where no words are left out in training. FLOPs and latency are then those of
        what stands on the tokens."""
        half: bool = False
        """Keep those tokens in half precision."""
        trunk: Trunk = "none"

        @model_validator(mode="after")
        def _unchanging_where_needed(self) -> TextModel.Config:
            if isinstance(self.layer, int) and not self.unchanging:
                raise ValueError(
                    f"layer {self.layer} is for a model that does not change: what is above it would be "
                    "trained in vain; set layer to last or weighted, or frozen, without tune"
                )
            if self.cached and not self.unchanging:
                raise ValueError("cached is for a model that does not change; set frozen too, without tune")
            return self

    @classmethod
    def needs(cls, config: Config) -> TextWindows:
        return TextWindows(config.model, config.unit, partial(_format, config), config.cached is True)

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        refuse_tokenizer(_files(config))
        super().refuse_unusable(config)

    @classmethod
    def load_network(cls, config: Config) -> nn.Module:
        return load_text_model(_files(config), config.layer).network

    @classmethod
    def encode_ahead(cls, config: Config, modality: Modality, device: torch.device) -> Ahead | None:
        assert isinstance(modality, Text)
        cached = config.unchanging and not modality.config.word_dropout
        if not (cached if config.cached is None else config.cached):
            return None
        encoder = (
            cls(config, modality.told, 1, frozenset({"stem"})).eval().to(device)
        )  # no width is used here
        tokenizer = hashlib.sha256(modality.tokenizer.tokenizer.to_str().encode()).hexdigest()
        made_by = {
            **options_of(config),
            **encoder.model.made_by,
            "tokenizer": tokenizer,
            "weights": weights_digest(encoder.model.network),
        }

        def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
            values, times = (part[None].to(device) for part in modality.whole(clip, stored))
            there = torch.ones(values.shape[:2], dtype=torch.bool, device=device)
            made = encoder.tokens(Tokens(values, there, times))
            return made.values[made.mask], made.time[made.mask]

        return Ahead(encode, made_by, config.half)

    def __init__(self, config: Config, told: int, width: int, levels: Set[Level]) -> None:
        super().__init__(config, told, width, levels)
        self.model = load_text_model(_files(config), config.layer, told)
        tune_network(self.model.network, config)
        features = self.model.features // self.model.layers
        self.layers = nn.Parameter(torch.zeros(self.model.layers)) if config.layer == "weighted" else None
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
        made = inputs if inputs.values.is_floating_point() else self.tokens(inputs)
        values = made.values.masked_fill(~made.mask[..., None], 0.0)
        if self.layers is not None:
            values = torch.softmax(self.layers, dim=0) @ values.unflatten(2, (self.model.layers, -1))
        return made.replace_values(self.project(values))

    def tokens(self, inputs: Tokens) -> Tokens:
        """The model's tokens of each clip (B, M, F), with their times."""
        clips, pieces, times = (
            inputs.mask.nonzero()[:, 0],
            inputs.values[inputs.mask],
            inputs.time[inputs.mask],
        )
        count = len(inputs.mask)
        if not len(pieces):
            nothing = inputs.time.new_zeros(0, self.model.features)
            return _by_clip(nothing, times, clips, count)
        ids, number, of = pieces.unbind(dim=1)
        begins = torch.ones_like(number, dtype=torch.bool)
        begins[1:] = (number[1:] != number[:-1]) | (clips[1:] != clips[:-1])
        window, first = begins.cumsum(dim=0) - 1, begins.nonzero()[:, 0]
        place = torch.arange(len(ids), device=ids.device) - first[window]

        def windows(values: Tensor) -> Tensor:
            laid = values.new_zeros(len(first), int(place.max()) + 1)
            laid[window, place] = values
            return laid

        there = windows(torch.ones_like(begins))
        states = self.model(windows(ids), there)
        if self.config.unit == "words":
            text = of == TEXT
            return _by_clip(states[window, place][text].float(), times[text], clips[text], count)
        vectors = self.model.pool(states, there, windows(of == PROMPT)).float()
        last = torch.cat([first[1:], first.new_tensor([len(ids)])]) - 1
        return _by_clip(vectors, (times[first] + times[last]) / 2, clips[first], count)

    def trunk(self, stem: Tokens, inputs: Tokens) -> Tokens:
        assert self.on_top is not None
        return self.on_top(stem)


def _by_clip(
    values: Float[Tensor, "T F"], times: Float[Tensor, " T"], clips: Int[Tensor, " T"], count: int
) -> Tokens:
    """What belongs to each of `count` clips, in order; `clips` ascends."""
    lengths = torch.bincount(clips, minlength=count)
    mask = torch.arange(max(1, int(lengths.max())), device=clips.device) < lengths[:, None]
    laid, seconds = values.new_zeros(*mask.shape, values.shape[1]), times.new_zeros(mask.shape)
    laid[mask], seconds[mask] = values, times
    return Tokens(laid, mask, seconds)


def _files(config: TextModel.Config) -> TextFiles:
    pooled = config.unit != "words"
    return text_files(
        config.model,
        pooled=pooled,
        pooling=config.pooling,
        instruction=config.instruction,
        window=config.window,
    )


def _format(config: Any) -> TextFormat:
    return _files(config).format
