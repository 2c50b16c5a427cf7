"""What one run reads: its modalities over the clips of a manifest, opened once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmvideo.clips.labels import target, task_of
from mmvideo.clips.manifest import Clip
from mmvideo.config import RunConfig
from mmvideo.data.collate import bucket
from mmvideo.data.content import DataContent, content_of
from mmvideo.data.dataset import ClipDataset, PermutedModalities
from mmvideo.data.loading import in_batches
from mmvideo.data.opened import Opened, make_modality, open_data
from mmvideo.data.shares import WHOLE, Share
from mmvideo.evaluation.tasks import TASKS, prior_outputs
from mmvideo.modalities.base import Modality
from mmvideo.types import Batch
from mmvideo.vocabulary import Split, TaskKind, presence_pattern


@dataclass(frozen=True)
class RunData:
    """The clips that could be decoded, each modality's way of reading them, and what it has learnt of
    them."""

    config: RunConfig
    source: Opened
    modalities: Mapping[str, Modality]

    @classmethod
    def open(
        cls, config: RunConfig, *, learnt: Mapping[str, Path] | None = None, progress: bool = False
    ) -> RunData:
        """Open what a configuration points at.

        Args:
            learnt: by modality, the folder in which another run has saved what it learnt of its training
                clips; of the others it is learnt here.

        Raises:
            InputError: anything wrong with the data, or data that do not fit what was learnt.
        """
        return cls.over(config, open_data(config, progress=progress), learnt or {})

    @classmethod
    def over(cls, config: RunConfig, source: Opened, learnt: Mapping[str, Path]) -> RunData:
        """The same, of data that are open."""
        modalities = {
            name: make_modality(name, given, config.data.frame_rate) for name, given in config.active.items()
        }
        for name, modality in modalities.items():
            modality.open(source, learnt.get(name))
        return cls(config, source, modalities)

    def save(self, folder: Path) -> None:
        """Keep with the run what its modalities have learnt."""
        for modality in self.modalities.values():
            modality.save(folder)

    @property
    def told(self) -> dict[str, Any]:
        """What each modality tells its encoder."""
        return {name: modality.told for name, modality in self.modalities.items()}

    @property
    def fingerprint(self) -> str:
        """Names the content of the data."""
        return self.source.fingerprint

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the model's outputs; none in a regression."""
        return self.source.manifest.classes

    @property
    def task(self) -> TaskKind:
        """What the labels are; the audit has held it against the configuration."""
        return task_of(self.source.manifest.clips[0].label)

    @property
    def outputs(self) -> int:
        """Outputs of a model of these data: one per class, or one number."""
        return TASKS[self.task].width(len(self.classes))

    def clips(self, split: Split) -> tuple[Clip, ...]:
        """The split's clips that could be decoded."""
        return tuple(clip for clip in self.source.clips if clip.split == split)

    @cached_property
    def content(self) -> DataContent:
        """What the clips have of all inputs, active or not, and what is told of it."""
        return content_of(self.config, self.source, self.modalities)

    def present(self, clip: Clip) -> tuple[str, ...]:
        """Which of the inputs the clip has, those that the run is not given among them."""
        return tuple(name for name, ids in self.content.present.items() if clip.id in ids)

    def labels(self, clips: Sequence[Clip]) -> np.ndarray:
        """The clips' labels as a batch holds them: (n,) classes, (n, C) of 0 and 1, or (n,) numbers."""
        index = {name: place for place, name in enumerate(self.classes)}
        return np.array([target(clip.label, index) for clip in clips])

    def train_prior(self) -> list[float]:
        """The outputs for a clip of which nothing is known but the training split's labels."""
        return self._prior(self.clips("train"))

    def train_presence(self) -> dict[str, list[int]] | dict[str, list[float]]:
        """For each pattern of present modalities (`visual+audio`) of the training clips: how many there are
        of each class; or, where labels are no single classes, the outputs that know the pattern alone."""
        clips: dict[str, list[Clip]] = defaultdict(list)
        for clip in self.clips("train"):
            clips[presence_pattern(self.present(clip))].append(clip)
        if self.task != "single_label":
            return {pattern: self._prior(clips[pattern]) for pattern in sorted(clips)}
        counts = {pattern: Counter(clip.label for clip in clips[pattern]) for pattern in sorted(clips)}
        return {pattern: [count[name] for name in self.classes] for pattern, count in counts.items()}

    def _prior(self, clips: Sequence[Clip]) -> list[float]:
        labels = self.labels(clips)
        return prior_outputs(self.task, labels, len(self.classes)).tolist()

    def dataset(self, split: Split, *, training: bool = False, views: bool = False) -> ClipDataset:
        """The split's clips as samples of all modalities."""
        return ClipDataset(
            self.clips(split),
            self.source,
            tuple(self.modalities.values()),
            self.config.data,
            training=training,
            views=views,
            seed=self.config.seed,
        )

    @property
    def pad_to(self) -> dict[str, int]:
        """By modality, the multiple that batches' lengths are rounded up to; a compiled run has few."""
        train, seconds = self.config.train, self.config.data.max_seconds
        if not train.compile:
            return train.pad_to
        return {
            m: bucket(modality.longest(seconds)) for m, modality in self.modalities.items()
        } | train.pad_to

    def evaluated(self, split: Split, *, permuted: bool = False, share: Share = WHOLE) -> Iterator[Batch]:
        """The split's clips as they are evaluated: all views, and every batch padded as in training.

        Args:
            permuted: with modalities of different clips together.
            share: the part of each batch that this process reads.
        """
        clips, train = self.dataset(split, views=True), self.config.train
        shown = PermutedModalities(clips, self.config.seed) if permuted else clips
        return in_batches(shown, train.batch_size, pad_to=self.pad_to, share=share)


def available_modalities(config: RunConfig, *, progress: bool = False) -> tuple[str, ...]:
    """Those of a configuration's modalities that at least one training clip has; the data are opened for it.

    Raises:
        InputError: as `open_data` does, or features that cannot be used or that no clip names.
    """
    source = open_data(config, progress=progress)
    training = {clip.id for clip in source.clips if clip.split == "train"}
    found = {
        name: make_modality(name, given, config.data.frame_rate) for name, given in config.active.items()
    }
    for modality in found.values():
        modality.refuse_unusable(source)
    return tuple(name for name, modality in found.items() if modality.where(source) & training)
