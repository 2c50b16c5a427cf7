"""From stored clips to samples: window, augmentation, word pieces.

A sample is a function of (seed, epoch, clip) and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mmvideo.clips.labels import Target, target
from mmvideo.clips.manifest import Clip
from mmvideo.clips.metadata import metadata_text
from mmvideo.config import DataConfig
from mmvideo.data.augment import AudioAugment, corrupt, drop_words
from mmvideo.data.features import FeatureSource, in_window, span_of
from mmvideo.data.memory import Memory
from mmvideo.data.sampling import choose_frames
from mmvideo.data.tokenizer import WordPieces
from mmvideo.data.transforms import ClipTransform
from mmvideo.data.views import View, evaluation_views
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import FrameFeatures
from mmvideo.store.store import Store, StoredClip
from mmvideo.store.subtitles import Word


@dataclass(frozen=True)
class Sample:
    """One clip as the model will see it. An absent modality has items of length 0."""

    id: str
    label: Target
    inputs: Mapping[str, tuple[Tensor, Tensor]]
    """Modality → values (N, ...) and times (N,) in seconds from the window's start."""


@dataclass(frozen=True)
class Window:
    """The part of a clip that a sample shows, in seconds; the seed of its draws; which view it is."""

    start: float
    length: float
    draw: int
    view: View


class ClipDataset(Dataset[Sample]):
    """Some clips of a store, for training or for evaluation.

    Args:
        keys: clip id → key in the store.
        tokenizer: None where text is not among the modalities.
        training: random windows and augmentation; else the middle window, the centre crop.
        views: in evaluation, the configured views: one sample each, those of a clip one after the other.
        seed: the run's; draws depend on it, on `epoch`, and on the clip's id, and on nothing else.
        features: the modalities that are read from precomputed features rather than from the store.
        frame_features: a frozen backbone's, given instead of frames.
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
        views: bool = False,
        seed: int = 0,
        features: Mapping[str, FeatureSource] = MappingProxyType({}),
        frame_features: FrameFeatures | None = None,
    ) -> None:
        assert not (training and views), "views are for evaluation"
        self.views = evaluation_views(config.eval_views, config.eval_crops) if views else (View(),)
        self.clips, self.store, self.keys = tuple(clips), store, keys
        self.classes = {name: index for index, name in enumerate(classes)}
        self.modalities, self.config, self.tokenizer = tuple(modalities), config, tokenizer
        self.training, self.seed, self.epoch = training, seed, 0
        self.features, self.frame_features = dict(features), frame_features
        self.transform = ClipTransform(config, training=training)
        self.memory = Memory()
        self.audio_augment = AudioAugment(config.augment, config.sample_rate) if training else None

    def __len__(self) -> int:
        return len(self.clips) * len(self.views)

    def __getitem__(self, index: int) -> Sample:
        number, view = divmod(index, len(self.views))
        clip = self.clips[number]
        given = {
            name: self.memory.get((clip.id, name), partial(source.read, clip))
            for name, source in self.features.items()
        }
        with self.store.open(self.keys[clip.id], self.memory.held(clip.id)) as stored:
            self.memory.get(clip.id, lambda: stored.clip)
            return self._sample(clip, stored, given, self.views[view])

    def _sample(self, clip: Clip, stored: OpenClip, given: Mapping[str, np.ndarray], view: View) -> Sample:
        draw = derive_seed(self.seed, "sample", self.epoch, clip.id)
        seconds = max(_seconds(stored.clip, self.config), span_of(clip, given))
        window = self._window(seconds, draw, view)
        readers = {"visual": self._visual, "audio": self._audio, "text": self._text}
        inputs = {}
        for m in self.modalities:
            make = (
                partial(self._precomputed, clip, m, given[m], seconds, window)
                if m in given
                else partial(readers[m], clip, stored, window)
            )
            inputs[m] = self.memory.get((clip.id, view, m), make) if self._same(m, seconds) else make()
        return Sample(clip.id, target(clip.label, self.classes), inputs)

    def _same(self, modality: str, seconds: float) -> bool:
        """Whether a clip's input, of a clip that lasts `seconds`, is the same whenever it is asked for."""
        if not self.training:
            return True
        if round((seconds - self.config.max_seconds) * self.config.frame_rate) > 0:
            return False  # windows start at whole frames, at random
        augment = self.config.augment
        if modality in self.features:
            return True
        if modality == "text":
            return not augment.word_dropout
        if modality == "audio":
            redrawn = augment.redraw_noise and self.config.audio_snr_db is not None
            return not (augment.changes_sound or redrawn)
        return self.frame_features is not None and self.config.sampling in ("rate", "uniform")

    def _window(self, seconds: float, draw: int, view: View) -> Window:
        """The part of the clip that is used; the clip lasts `seconds`."""
        length = self.config.max_seconds
        spare = seconds - length
        if spare <= 0:
            return Window(0.0, length, draw, view)
        share = np.random.default_rng(draw).random() if self.training else view.window
        step = 1 / self.config.frame_rate  # whole frames, so that sight and sound are cut at the same instant
        return Window(round(share * spare / step) * step, length, draw, view)

    def _precomputed(
        self, clip: Clip, modality: str, values: np.ndarray, seconds: float, window: Window
    ) -> tuple[Tensor, Tensor]:
        rate = next((rate for name, rate in clip.features_rate.items() if name == modality), None)
        inside, times = in_window(values, rate, seconds or window.length, window.start, window.length)
        return torch.from_numpy(inside), torch.from_numpy(times)

    def _visual(self, clip: Clip, stored: OpenClip, window: Window) -> tuple[Tensor, Tensor]:
        inside = self._frames(stored.clip, window)
        times = torch.from_numpy((stored.clip.frame_times[inside] - window.start).astype(np.float32))
        if self.frame_features:
            return torch.from_numpy(self.frame_features.read(clip.id)[inside]), times
        if not len(inside):
            side = self.config.crop_size
            return torch.zeros(0, 3, side, side, dtype=torch.uint8), torch.zeros(0)
        frames = torch.from_numpy(stored.frames(inside)).permute(0, 3, 1, 2)
        return self.transform(frames, window.draw, window.view.crop), times

    def _frames(self, stored: StoredClip, window: Window) -> NDArray[np.intp]:
        """Indices of the stored frames that the sample shows."""
        config, end = self.config, window.start + window.length
        inside = np.flatnonzero((stored.frame_times >= window.start) & (stored.frame_times < end))
        if config.sampling == "rate":
            return inside
        chosen = choose_frames(
            len(inside),
            config.sampling,
            config.frames,
            config.frame_stride,
            draw=np.random.default_rng(derive_seed(window.draw, "frames")) if self.training else None,
            share=window.view.window,
        )
        return inside[chosen]

    def _audio(self, clip: Clip, stored: OpenClip, window: Window) -> tuple[Tensor, Tensor]:
        hop = self.config.hop
        first, count = (round(t * self.config.sample_rate) for t in (window.start, window.length))
        redrawn = self.training and self.config.augment.redraw_noise
        whole = corrupt(
            stored.clip.samples, self.config.audio_snr_db, clip.id, *((window.draw,) if redrawn else ())
        )
        samples = whole[first : first + count]
        if self.audio_augment:
            samples = self.audio_augment(whole, first, len(samples), window.draw)
        hops = -(-len(samples) // hop)
        padded = np.zeros(hops * hop, np.float32)
        padded[: len(samples)] = samples
        times = (torch.arange(hops) + 0.5) * hop / self.config.sample_rate
        return torch.from_numpy(padded).view(hops, hop), times

    def _text(self, clip: Clip, stored: OpenClip, window: Window) -> tuple[Tensor, Tensor]:
        assert self.tokenizer is not None
        words = text_words(clip, stored.clip.words, self.config, window.start, window.length)
        if self.training:
            words = drop_words(words, self.config.augment.word_dropout, window.draw)
        ids, times = self.tokenizer.encode(words, self.config.max_tokens)
        return torch.from_numpy(ids), torch.from_numpy(times)


def _seconds(stored: StoredClip, config: DataConfig) -> float:
    """How long a decoded clip lasts."""
    return max(
        len(stored.frame_times) / config.frame_rate,
        len(stored.samples) / config.sample_rate,
        max((word.end for word in stored.words), default=0.0),
    )


def text_words(
    clip: Clip, spoken: Sequence[Word], config: DataConfig, start: float, length: float
) -> list[Word]:
    """The clip's text in reading order: metadata (as if shown throughout), then the window's subtitles."""
    metadata = metadata_text(clip.metadata, config.metadata_fields, config.text_template)
    told = [Word(w, 0.0, length) for w in metadata.split()]
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
        self.partner = {m: _derangement(len(clips.clips), generator) for m in clips.modalities[1:]}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        own = self.clips[index]
        views = len(self.clips.views)
        number, view = divmod(index, views)
        others = {m: self.clips[int(p[number]) * views + view].inputs[m] for m, p in self.partner.items()}
        return Sample(own.id, own.label, {**own.inputs, **others})


def _derangement(size: int, generator: np.random.Generator) -> np.ndarray:
    """A random cyclic permutation: for two clips or more, none is its own partner."""
    order = generator.permutation(size)
    partner = np.empty(size, np.int64)
    partner[order] = np.roll(order, 1)
    return partner
