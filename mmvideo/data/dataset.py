"""From stored clips to samples: window, augmentation, word pieces.

A sample is a function of (seed, epoch, clip) and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmvideo.config import DataConfig
from mmvideo.data.manifest import Clip
from mmvideo.data.store import Store, StoredClip
from mmvideo.data.subtitles import Word
from mmvideo.data.tokenizer import WordPieces
from mmvideo.data.transforms import ClipTransform
from mmvideo.seeding import derive_seed


@dataclass(frozen=True)
class Sample:
    """One clip as the model will see it. An absent modality has items of length 0."""

    id: str
    label: int
    inputs: Mapping[str, tuple[Tensor, Tensor]]
    """Modality → values (N, ...) and times (N,) in seconds from the window's start."""


class ClipDataset(Dataset[Sample]):
    """Some clips of a store, for training or for evaluation.

    Args:
        keys: clip id → key in the store.
        tokenizer: None where text is not among the modalities.
        training: random windows and augmentation; else the middle window, the centre crop.
        seed: the run's; draws depend on it, on `epoch`, and on the clip's id, and on nothing else.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        store: Store,
        keys: Mapping[str, str],
        classes: Sequence[str],
        modalities: Sequence[str],
        config: DataConfig,
        tokenizer: WordPieces | None,
        training: bool,
        seed: int = 0,
    ) -> None:
        self.clips, self.store, self.keys = tuple(clips), store, keys
        self.labels = {name: index for index, name in enumerate(classes)}
        self.modalities, self.config, self.tokenizer = tuple(modalities), config, tokenizer
        self.training, self.seed, self.epoch = training, seed, 0
        self.transform = ClipTransform(config, training=training)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        clip = self.clips[index]
        stored = self.store.read(self.keys[clip.id])
        draw = derive_seed(self.seed, "sample", self.epoch, clip.id)
        start, length = self._window(stored, draw)
        readers = {"visual": self._visual, "audio": self._audio, "text": self._text}
        inputs = {m: readers[m](clip, stored, start, length, draw) for m in self.modalities}
        return Sample(clip.id, self.labels[clip.label], inputs)

    def _window(self, stored: StoredClip, draw: int) -> tuple[float, float]:
        """Start and length in seconds of the part of the clip that is used."""
        ends = [
            len(stored.frames) / self.config.frame_rate,
            len(stored.samples) / self.config.sample_rate,
            max((word.end for word in stored.words), default=0.0),
        ]
        spare = max(ends) - self.config.max_seconds
        if spare <= 0:
            return 0.0, self.config.max_seconds
        share = np.random.default_rng(draw).random() if self.training else 0.5
        step = 1 / self.config.frame_rate  # whole frames, so that sight and sound are cut at the same instant
        return round(share * spare / step) * step, self.config.max_seconds

    def _visual(
        self, clip: Clip, stored: StoredClip, start: float, length: float, draw: int
    ) -> tuple[Tensor, Tensor]:
        inside = np.flatnonzero((stored.frame_times >= start) & (stored.frame_times < start + length))
        if not len(inside):
            side = self.config.crop_size
            return torch.zeros(0, 3, side, side, dtype=torch.uint8), torch.zeros(0)
        frames = torch.from_numpy(stored.frames[inside[0] : inside[-1] + 1].copy()).permute(0, 3, 1, 2)
        times = torch.from_numpy((stored.frame_times[inside] - start).astype(np.float32))
        return self.transform(frames, draw), times

    def _audio(
        self, clip: Clip, stored: StoredClip, start: float, length: float, draw: int
    ) -> tuple[Tensor, Tensor]:
        hop = self.config.hop
        first, count = round(start * self.config.sample_rate), round(length * self.config.sample_rate)
        samples = stored.samples[first : first + count]
        hops = -(-len(samples) // hop)
        padded = np.zeros(hops * hop, np.float32)
        padded[: len(samples)] = samples
        times = (torch.arange(hops) + 0.5) * hop / self.config.sample_rate
        return torch.from_numpy(padded).view(hops, hop), times

    def _text(
        self, clip: Clip, stored: StoredClip, start: float, length: float, draw: int
    ) -> tuple[Tensor, Tensor]:
        assert self.tokenizer is not None
        words = text_words(clip, stored.words, self.config.metadata_fields, start, length)
        ids, times = self.tokenizer.encode(words, self.config.max_tokens)
        return torch.from_numpy(ids), torch.from_numpy(times)


def text_words(
    clip: Clip, spoken: Sequence[Word], metadata_fields: Sequence[str], start: float, length: float
) -> list[Word]:
    """The clip's text in reading order: metadata (as if shown throughout), then the window's subtitles."""
    told = [Word(w, 0.0, length) for name in metadata_fields for w in clip.metadata.get(name, "").split()]
    inside = [w for w in spoken if start <= (w.start + w.end) / 2 < start + length]
    return told + [Word(w.text, w.start - start, w.end - start) for w in inside]


class ShuffledPairs(Dataset[Sample]):
    """A control: every modality but the first comes from another clip, chosen at random.

    Labels stay with the first. A model whose accuracy survives this does not use how the modalities of one
    clip belong together.
    """

    def __init__(self, clips: ClipDataset, seed: int) -> None:
        self.clips = clips
        generator = np.random.default_rng(derive_seed(seed, "pairs"))
        self.partner = {m: _derangement(len(clips), generator) for m in clips.modalities[1:]}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        own = self.clips[index]
        others = {m: self.clips[int(partner[index])].inputs[m] for m, partner in self.partner.items()}
        return Sample(own.id, own.label, {**own.inputs, **others})


def _derangement(size: int, generator: np.random.Generator) -> np.ndarray:
    """A random cyclic permutation: for two clips or more, none is its own partner."""
    order = generator.permutation(size)
    partner = np.empty(size, np.int64)
    partner[order] = np.roll(order, 1)
    return partner
