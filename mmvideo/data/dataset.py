"""From stored clips to samples: which window of a clip is shown, and what each modality gives of it.

A sample is a function of (seed, epoch, clip) and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from mmvideo.clips.labels import Target, target
from mmvideo.clips.manifest import Clip
from mmvideo.config import DataConfig
from mmvideo.memory import Memory
from mmvideo.modalities.base import ClipSource, Modality, View, Window
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip, StoredClip
from mmvideo.store.keys import StoreSettings
from mmvideo.types import Pending


@dataclass(frozen=True)
class Sample:
    """One clip as the model will see it. An absent modality has items of length 0."""

    id: str
    label: Target
    inputs: Mapping[str, tuple[Tensor, Tensor]]
    """Modality → values (N, ...) and times (N,) in seconds from the window's start."""
    pending: Mapping[str, Pending] = field(default_factory=dict)
    """Modality → what its values still have to undergo, of those that have something."""


class ClipDataset(Dataset[Sample]):
    """Some clips of a source, for training or for evaluation.

    Args:
        modalities: opened, in order.
        training: random windows and changes; else the middle window, unchanged.
        views: in evaluation, the configured views: one sample each, those of a clip one after the other.
        seed: the run's; draws depend on it, on `epoch`, and on the clip's id, and on nothing else.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        source: ClipSource,
        modalities: Sequence[Modality],
        config: DataConfig,
        *,
        training: bool,
        views: bool = False,
        seed: int = 0,
    ) -> None:
        assert not (training and views), "views are for evaluation"
        self.clips, self.source, self.modalities, self.config = (
            tuple(clips),
            source,
            tuple(modalities),
            config,
        )
        self.classes = {name: index for index, name in enumerate(source.manifest.classes)}
        self.views = evaluation_views(config.eval_views, modalities) if views else (View(),)
        self.training, self.seed, self.epoch = training, seed, 0
        self.memory = Memory()

    def __len__(self) -> int:
        return len(self.clips) * len(self.views)

    def clip_id(self, index: int | tuple[int, int]) -> str:
        """Of which clip the sample is, whatever its epoch."""
        number = index[1] if isinstance(index, tuple) else index
        return self.clips[number // len(self.views)].id

    def __getitem__(self, index: int | tuple[int, int]) -> Sample:
        """Args: index: of the sample; or the epoch and this, for processes that outlive an epoch."""
        if isinstance(index, tuple):
            self.epoch, index = index
        number, view = divmod(index, len(self.views))
        clip = self.clips[number]
        with self.source.store.open(self.source.keys[clip.id], self.memory.held(clip.id)) as stored:
            self.memory.get(clip.id, lambda: stored.clip)
            return self._sample(clip, stored, self.views[view])

    def _sample(self, clip: Clip, stored: OpenClip, view: View) -> Sample:
        draw = derive_seed(self.seed, "sample", self.epoch, clip.id)
        settings = self.source.store.settings
        seconds = max([stored_seconds(stored.clip, settings), *(m.seconds(clip) for m in self.modalities)])
        window = self._window(seconds, draw, view)
        moving = round((seconds - self.config.max_seconds) * self.config.frame_rate) > 0
        inputs = {}
        for m in self.modalities:
            read = partial(m.sample, clip, stored, window, training=self.training)
            # windows start at whole frames, at random where there is room for more than one
            same = not self.training or not (moving or m.varies() or m.views)
            inputs[m.name] = self.memory.get((clip.id, view, m.name), read) if same else read()
        if not self.training:
            return Sample(clip.id, target(clip.label, self.classes), inputs)
        pending = {}
        for m in self.modalities:
            values, times = inputs[m.name]
            if (left := m.pending(values, window)) is not None:
                inputs[m.name], pending[m.name] = (left[0], times), left[1]
        return Sample(clip.id, target(clip.label, self.classes), inputs, pending)

    def _window(self, seconds: float, draw: int, view: View) -> Window:
        """The part of the clip that is used; the clip lasts `seconds`."""
        length = self.config.max_seconds
        spare = seconds - length
        if spare <= 0:
            return Window(0.0, length, seconds, draw, view)
        share = np.random.default_rng(draw).random() if self.training else view.window
        step = 1 / self.config.frame_rate  # whole frames, so that all modalities are cut at the same instant
        return Window(round(share * spare / step) * step, length, seconds, draw, view)


def stored_seconds(stored: StoredClip, settings: StoreSettings) -> float:
    """How long a decoded clip lasts."""
    return max(
        len(stored.frame_times) / settings.frame_rate,
        len(stored.samples) / (settings.sample_rate or 1),
        max((word.end for word in stored.words), default=0.0),
    )


def evaluation_views(windows: int, modalities: Sequence[Modality]) -> tuple[View, ...]:
    """All windows × variants. One window is the middle one; more are spread evenly from first to last."""
    places = [i / (windows - 1) for i in range(windows)] if windows > 1 else [0.5]
    variants = max((m.variants for m in modalities), default=1)
    return tuple(View(window, variant) for window, variant in product(places, range(variants)))


class PermutedModalities(Dataset[Sample]):
    """A control: every modality but the first comes from another clip, chosen at random.

    Labels stay with the first. A model whose accuracy survives this does not use how the modalities of one
    clip belong together.
    """

    def __init__(self, clips: ClipDataset, seed: int) -> None:
        self.clips = clips
        generator = np.random.default_rng(derive_seed(seed, "pairs"))
        self.partner = {m.name: _derangement(len(clips.clips), generator) for m in clips.modalities[1:]}

    def __len__(self) -> int:
        return len(self.clips)

    def clip_id(self, index: int | tuple[int, int]) -> str:
        """Of which clip the sample's label and first modality are."""
        return self.clips.clip_id(index)

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
