"""A pretrained model of text on a clip's words: states of word pieces, or vectors of sentences or texts."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.encoders.hidden_layers import Layer
from mmvideo.encoders.pretrained_encoder import LayerConfig, PretrainedEncoder
from mmvideo.encoders.text_files import Pooling, TextFiles, refuse_tokenizer, text_files
from mmvideo.encoders.text_models import FAMILIES, WindowModel, load_text_model
from mmvideo.modalities.text import Text
from mmvideo.modalities.text_windows import PROMPT, TEXT, TextFormat, TextWindows, Unit
from mmvideo.schema import Positive
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import Tokens


class TextModel(PretrainedEncoder):
    """Stem: the model's states, or its vector of each window, projected. Trunk: none, LSTM or transformer.

    Inputs are word pieces in windows (B, N, 3) int64 (`WindowedPieces.encode`), or what `tokens` made of them
    before, (B, N, F).

    Args:
        told: how many word pieces the tokenizer knows.
    """

    takes: ClassVar[str] = "text"
    families = FAMILIES

    class Config(LayerConfig):
        """What the model makes of a text, and how much of it is trained."""

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

    @classmethod
    def needs(cls, config: Config) -> TextWindows:
        return TextWindows(config.model, config.unit, partial(_format, config), config.keeps_one)

    @classmethod
    def refuse_unusable(cls, config: Config) -> None:
        refuse_tokenizer(_files(config))
        super().refuse_unusable(config)

    @classmethod
    def load_model(cls, config: Config, told: int | None) -> WindowModel:
        return load_text_model(_files(config), config.layer, told or 0)

    @classmethod
    def steady(cls, modality: Text) -> bool:
        return not modality.config.word_dropout

    def made_by(self, modality: Text) -> dict[str, Any]:
        tokenizer = hashlib.sha256(modality.tokenizer.tokenizer.to_str().encode()).hexdigest()
        return {**super().made_by(modality), "tokenizer": tokenizer}

    def encode_clip(
        self, clip: Clip, stored: OpenClip, modality: Text, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        values, times = (part[None].to(device) for part in modality.whole(clip, stored))
        there = torch.ones(values.shape[:2], dtype=torch.bool, device=device)
        made = self.tokens(Tokens(values, there, times))
        return made.values[made.mask], made.time[made.mask]

    def tokens(self, inputs: Tokens) -> Tokens:
        if inputs.values.is_floating_point():
            return inputs
        mask, count = inputs.mask, len(inputs.mask)
        clips, pieces, times = mask.nonzero()[:, 0], inputs.values[mask], inputs.time[mask]
        if not len(pieces):
            nothing = inputs.time.new_zeros(0, self.features)
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
