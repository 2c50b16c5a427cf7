"""Plain features of whole clips, for the floor: they need no training, no download and little time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.config import Input, RunConfig
from mmvideo.data.opened import Opened, make_modality
from mmvideo.evaluation.floor import PlainBlock
from mmvideo.modalities.audio import Audio, Sound
from mmvideo.modalities.base import ENDLESS, Modality
from mmvideo.modalities.plain import Mfcc
from mmvideo.modalities.text import Text
from mmvideo.modalities.visual import Pictures, Visual
from mmvideo.progress import tracked
from mmvideo.store.clip_format import OpenClip

SIDE = 16
"""Pixels: side of the square that each frame is squeezed into."""
HOP_SECONDS = 0.02
"""MFCC: seconds of a column."""
MOST_TERMS = 2000
"""TF-IDF: the most frequent terms of the training clips."""
MOST_PARTS, MOST_COLUMNS = 12, 4096
"""Parts in time: so many, or as many as give no more columns than that."""


def plain_features(config: RunConfig, source: Opened, clips: Sequence[Clip]) -> dict[str, PlainBlock]:
    """For each modality of the configuration, a row for each clip; one without the modality has zeros.

    Visual: 16×16 pixels, their mean, deviation and mean absolute change. Audio: 40 MFCC, mean and deviation.
    Text: TF-IDF of the words, their frequencies learnt on the training clips. Others: mean and deviation of
    the vectors that their files hold or their kind gives. Parts in time: their means. All are read as in
    evaluation, so a corruption of the data is in them. A modality that gives anything but vectors is left
    out.
    """
    readers = {name: _reader(name, given, config, source) for name, given in config.active.items()}
    for clip in tracked(clips, len(clips), "Plain features"):
        with source.store.open(source.keys[clip.id]) as stored:
            for reader in readers.values():
                reader.add(clip, stored)
    train = np.array([clip.split == "train" for clip in clips])
    blocks = {name: reader.block(train) for name, reader in readers.items()}
    return {name: block for name, block in blocks.items() if block is not None}


def _reader(name: str, given: Input, config: RunConfig, source: Opened) -> _Vectors | _Words:
    kind, rate = given.component, config.data.frame_rate
    if issubclass(kind, Visual):
        every_frame = given.options.model_copy(update={"sampling": "rate"})
        visual = kind(every_frame, name, Pictures(SIDE, whole=True), rate)
        return _Vectors(visual, lambda frames: frames.flatten(1) / 255, change=True)
    if issubclass(kind, Audio):
        sample_rate = source.store.settings.sample_rate
        assert sample_rate is not None, "an input reads the sound, so the store keeps it"
        hop = max(1, round(HOP_SECONDS * sample_rate))
        return _Vectors(kind(given.options, name, Sound(sample_rate, hop), rate), Mfcc(sample_rate, hop))
    modality = make_modality(name, given, rate)
    if isinstance(modality, Text):
        return _Words(modality)
    modality.open(source)
    return _Vectors(modality, lambda items: items)


class _Vectors:
    """A modality whose items are made vectors (N, F), summarised clip by clip."""

    def __init__(
        self, modality: Modality, columns: Callable[[Tensor], Tensor], *, change: bool = False
    ) -> None:
        self.modality, self.columns, self.change = modality, columns, change
        self.rows: list[tuple[ndarray, ndarray] | None] = []
        self.longest, self.usable = 0, True

    def add(self, clip: Clip, stored: OpenClip) -> None:
        items, _ = self.modality.whole(clip, stored)
        values = self.columns(items).double().numpy() if len(items) else np.zeros((0, 0))
        self.usable &= values.ndim == 2
        if not (self.usable and len(values)):
            self.rows.append(None)
            return
        self.longest = max(self.longest, len(values))
        spread = [values.std(axis=0)]
        if self.change:
            spread.append(np.abs(np.diff(values, axis=0)).mean(axis=0) if len(values) > 1 else 0 * values[0])
        summary = np.concatenate([values.mean(axis=0), *spread])
        self.rows.append((summary.astype(np.float32), _parts(values).astype(np.float32)))

    def block(self, train: Bool[ndarray, " n"]) -> PlainBlock | None:
        first = next((row for row in self.rows if row is not None), None)
        if first is None or not self.usable:
            return None
        summary, parts = (
            np.stack([0 * empty if row is None else row[place] for row in self.rows])
            for place, empty in enumerate(first)
        )
        return PlainBlock(summary, parts if self.longest > 1 else parts[:, :0])


def _parts(values: Float[ndarray, "N F"]) -> Float[ndarray, " P"]:
    """The means of the sequence's parts, one after the other; of a short one, its nearest vectors."""
    count, length = min(MOST_PARTS, MOST_COLUMNS // values.shape[1]), len(values)
    if count < 2:
        return np.zeros(0)
    first = np.arange(count) * length // count
    last = np.maximum(first + 1, np.arange(1, count + 1) * length // count)
    return np.concatenate([values[a:b].mean(axis=0) for a, b in zip(first, last, strict=True)])


class _Words:
    """The words of a clip, in any order."""

    def __init__(self, modality: Text) -> None:
        self.modality = modality
        self.rows: list[str] = []

    def add(self, clip: Clip, stored: OpenClip) -> None:
        words = self.modality.words(clip, stored.clip.words, 0.0, ENDLESS)
        self.rows.append(" ".join(word.text for word in words))

    def block(self, train: Bool[ndarray, " n"]) -> PlainBlock | None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # not at the top: it takes 0.2 to 0.6 s

        weights = TfidfVectorizer(max_features=MOST_TERMS, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
        try:
            weights.fit([row for row, learnt in zip(self.rows, train, strict=True) if learnt])
        except ValueError:  # sklearn's word for: no training clip has a word
            return None
        values = weights.transform(self.rows).toarray()
        return PlainBlock(values, values[:, :0], together=True)
