"""Words: subtitles and metadata as word pieces with times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.clips.metadata import check_fields, metadata_text
from mmvideo.modalities.base import ENDLESS, ClipSource, Modality, Window
from mmvideo.modalities.corruptions.words import CORRUPTIONS, damaged_words
from mmvideo.modalities.text_windows import TextWindows
from mmvideo.modalities.tokenizer import WordPieces
from mmvideo.schema import Dropout
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.subtitles import Word

THROUGHOUT = -1.0
"""The time, in what is kept of a clip, of what is shown throughout: metadata."""


@dataclass(frozen=True)
class Pieces:
    """What an encoder of words has to be given: ids of at most `longest` word pieces."""

    longest: int
    vocabulary_size: int
    """Of the tokenizer that is trained on the training split."""
    model: str | None = None
    """A pretrained model whose own tokenizer is used instead."""


class Text(Modality):
    """Words as the store and the manifest's metadata have them → ids of word pieces (N,), int64."""

    kind: ClassVar[str] = "text"
    default_encoder: ClassVar[str] = "transformer"
    corruptions = CORRUPTIONS
    tokenizer: WordPieces

    class Config(Modality.Config):
        """Which words are read, and how they are changed in training."""

        metadata_fields: tuple[str, ...] = ()
        """Metadata of the clip (title, tags …) read as text before the subtitles, one after another."""
        template: str | None = None
        """Or the sentence they are put into, such as "{title}. {tags}"."""
        word_dropout: Dropout = 0.0
        """Chance of each word to be left out in training (Iyyer et al., 2015,
        https://aclanthology.org/P15-1162)."""

        @model_validator(mode="after")
        def _one_way_to_read_metadata(self) -> Self:
            if self.metadata_fields and self.template is not None:
                raise ValueError("give metadata_fields or template, not both: a template names its fields")
            return self

    @classmethod
    def check(cls, config: Config, needs: Pieces | TextWindows) -> None:
        if isinstance(needs, TextWindows) and needs.unchanging and config.word_dropout:
            raise ValueError(
                f"word_dropout {config.word_dropout} changes the words in training, and the encoder is "
                "cached: set word_dropout to 0, or cached to False"
            )

    @property
    def told(self) -> int:
        """The number of word pieces there are."""
        return self.tokenizer.size

    def longest(self, seconds: float) -> int | None:
        return None if self.encoded is not None else self.needs.longest

    def where(self, source: ClipSource) -> frozenset[str]:
        told = {clip.id for clip in source.clips if self._metadata(clip)}
        return frozenset(told.union(name for name, had in source.stored.items() if "text" in had))

    def open(self, source: ClipSource, learnt: Path | None = None) -> None:
        """Raises InputError where metadata are asked for that no clip has, or the tokenizer cannot be
        loaded."""
        check_fields(
            [clip.metadata for clip in source.manifest.clips],
            self.config.metadata_fields,
            self.config.template,
            f"inputs.{self.name}.options",
        )
        super().open(source)
        if isinstance(self.needs, TextWindows):
            self.tokenizer = self.needs.tokenizer()
        elif learnt is not None:
            self.tokenizer = WordPieces.load(self._file(learnt))
        elif self.needs.model is not None:
            self.tokenizer = WordPieces.pretrained(self.needs.model)
        else:
            key = (self.config, self.needs)
            self.tokenizer = source.keep(("tokenizer", self.name), key, lambda: self._trained(source))

    def _trained(self, source: ClipSource) -> WordPieces:
        def texts() -> Iterator[list[Word]]:
            for clip in source.clips:
                if clip.split == "train":
                    with source.store.open(source.keys[clip.id]) as stored:
                        yield self.words(clip, stored.clip.words, 0.0, float("inf"))

        return WordPieces.train(texts(), self.needs.vocabulary_size)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(self._file(folder))

    def _file(self, folder: Path) -> Path:
        return folder / f"{self.name}.json"

    def beside(self, clip: Clip) -> str | None:
        return self._metadata(clip) or None

    def damaged(self, clip: Clip, stored: OpenClip) -> tuple[Clip, OpenClip]:
        return (clip, stored) if self.damage is None else damaged_words(self.damage, clip, stored)

    def varies(self) -> bool:
        return bool(self.config.word_dropout)

    def read(self, clip: Clip, stored: OpenClip, window: Window, *, training: bool) -> tuple[Tensor, Tensor]:
        words = self.words(clip, stored.clip.words, window.start, window.length)
        if training:
            words = drop_words(words, self.config.word_dropout, window.draw)
        ids, times = self.tokenizer.encode(words, self.needs.longest)
        return torch.from_numpy(ids), torch.from_numpy(times)

    def whole(self, clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
        values, times = super().whole(clip, stored)
        return values, times.masked_fill(times >= ENDLESS / 2, THROUGHOUT)

    def inside(
        self, times: NDArray[np.float64], stored: OpenClip, window: Window, *, training: bool
    ) -> NDArray[np.intp]:
        """Metadata, and what has its centre in the window; where words are said there that are in the middle
        of something longer, that."""
        found = super().inside(times, stored, window, training=training)
        always, spoken = np.flatnonzero(times == THROUGHOUT), np.flatnonzero(times != THROUGHOUT)
        words = self._said(stored.clip.words, window.start, window.length)
        found = np.setdiff1d(found, always)
        if words and len(spoken) and not len(found):
            centre = (words[0].start + words[-1].end) / 2
            found = spoken[[np.abs(times[spoken] - centre).argmin()]]
        return np.concatenate([always, found])

    def within(self, times: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
        return np.where(times == THROUGHOUT, window.length / 2, super().within(times, window))

    @staticmethod
    def _said(spoken: Sequence[Word], start: float, length: float) -> list[Word]:
        return [word for word in spoken if start <= (word.start + word.end) / 2 < start + length]

    def words(self, clip: Clip, spoken: Sequence[Word], start: float, length: float) -> list[Word]:
        """The clip's text in reading order: metadata (as if shown throughout), then the window's
        subtitles."""
        told = [Word(w, 0.0, length) for w in self._metadata(clip).split()]
        inside = self._said(spoken, start, length)
        return told + [Word(w.text, w.start - start, w.end - start) for w in inside]

    def _metadata(self, clip: Clip) -> str:
        return metadata_text(clip.metadata, self.config.metadata_fields, self.config.template)


def drop_words(words: Sequence[Word], probability: float, seed: int) -> list[Word]:
    """Each word is left out with the given probability; if that would leave none, one stays."""
    if not probability or not words:
        return list(words)
    chances = np.random.default_rng(derive_seed(seed, "words")).random(len(words))
    kept = chances >= probability
    kept[chances.argmax()] = True
    return [word for word, keep in zip(words, kept, strict=True) if keep]
