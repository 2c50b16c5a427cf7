"""Precomputed features of a clip: cleaned, timed, and measured over a data set.

What counts as padding: vectors of zeros at a sequence's end (feature files such as MMSA's are padded to one
length). They are cut off, whatever comes before them stays. A clip whose features are all zeros has none: the
modality is absent, as where the manifest names no features.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError, unknown
from mmvideo.files import write_json
from mmvideo.memory import Memory
from mmvideo.modalities.base import ClipSource, Modality, Window
from mmvideo.modalities.corruptions.vectors import CORRUPTIONS
from mmvideo.modalities.feature_survey import FeatureConfig, Survey, read_features, survey
from mmvideo.modalities.measured import load_measured
from mmvideo.store.clip_format import OpenClip
from mmvideo.types import FeatureInput


class PrecomputedFeatures(Modality):
    """Vectors from the manifest's feature files, (N, F) float as the files have them."""

    kind: ClassVar[str] = "features"
    default_encoder: ClassVar[str] = "feature_lstm"
    corruptions = CORRUPTIONS

    class Config(FeatureConfig, Modality.Config):
        """How the files are read."""

    source: ClipSource
    manifest: Manifest
    measured: FeatureInput

    def __init__(self, config: Config, name: str, needs: object, frame_rate: float) -> None:
        super().__init__(config, name, needs, frame_rate)
        self.memory = Memory()

    def where(self, source: ClipSource) -> frozenset[str]:
        return self._survey(source).present

    def refuse_unusable(self, source: ClipSource) -> None:
        found = self._survey(source)
        if found.problems:
            found.input()  # tells them
        named = {name for clip in source.manifest.clips for name in clip.features}
        if named and self.name not in named:
            raise unknown("features of the manifest", self.name, named)

    def open(self, source: ClipSource, learnt: Path | None = None) -> None:
        super().open(source)
        self.source, self.manifest, found = source, source.manifest, self._survey(source)
        self.zeroed, self.measured = found.zeroed, found.input()
        if learnt is not None:
            before = load_measured(learnt / f"{self.name}.json")
            if before.width != self.measured.width:
                raise InputError(
                    f"The {self.name} features have {self.measured.width} numbers each; the run was "
                    f"trained on {before.width}. Give features made in the same way."
                )
            self.measured = before

    def _survey(self, source: ClipSource) -> Survey:
        return source.keep(
            ("features", self.name),
            self.config,
            lambda: survey(source.manifest, source.clips, self.name, self.config),
        )

    def _usual(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of each dimension over the training clips, also where none are standardised."""
        measured = self.measured
        if not self.config.standardize:
            config = self.config.model_copy(update={"standardize": True})
            made = partial(survey, self.manifest, self.source.clips, self.name, config)
            measured = self.source.keep(("usual", self.name), config, made).input()
        return np.array(measured.mean), np.array(measured.std)

    @property
    def told(self) -> FeatureInput:
        """Width, length and spread of the features over the training split."""
        return self.measured

    def save(self, folder: Path) -> None:
        write_json(folder / f"{self.name}.json", asdict(self.measured))

    def seconds(self, clip: Clip) -> float:
        """By the features' rate, or by the clip's span in the manifest; else 0."""
        rate = clip.features_rate.get(self.name)
        by_rate = len(self._vectors(clip)) / rate if rate else 0.0
        return by_rate if clip.end is None else max(by_rate, clip.end - (clip.start or 0.0))

    def read(self, clip: Clip, stored: OpenClip, window: Window, *, training: bool) -> tuple[Tensor, Tensor]:
        vectors = self._vectors(clip)
        if self.damage is not None and len(vectors):
            vectors = self.damage.apply(clip, vectors, *self._usual()).astype(np.float32)
        inside, times = in_window(
            vectors,
            clip.features_rate.get(self.name),
            window.clip_seconds or window.length,
            window.start,
            window.length,
        )
        return torch.from_numpy(inside), torch.from_numpy(times)

    def _vectors(self, clip: Clip) -> NDArray[np.float32]:
        """The clip's feature vectors, (N, width); N is 0 where it has none."""
        return self.memory.get(clip.id, lambda: self._from_file(clip))

    def _from_file(self, clip: Clip) -> NDArray[np.float32]:
        values, _ = read_features(self.manifest, clip, self.name, self.config)
        if len(values) and values.shape[1] != self.measured.width:
            raise InputError(
                f"{clip.id}: its {self.name} features have {values.shape[1]} numbers each; "
                f"those of this run have {self.measured.width}."
            )
        return values if len(values) else np.zeros((0, self.measured.width), np.float32)


def in_window(
    values: NDArray[np.float32], rate: float | None, seconds: float, start: float, length: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The vectors whose time falls into a window, and their times in seconds from its start.

    A single vector without a rate tells of the whole clip: it is kept, at the window's middle. Where no
    vector falls into the window, the one nearest to its middle is kept: what is present stays present.

    Args:
        rate: vectors per second; None: spread evenly over the clip's `seconds`.
    """
    count = len(values)
    if count == 1 and rate is None:
        return values, np.full(1, min(length, seconds - start) / 2, np.float32)
    times = ((np.arange(count) + 0.5) / (rate or count / seconds) - start).astype(np.float32)
    inside = np.flatnonzero((times >= 0) & (times < length))
    if count and not len(inside):
        inside = np.abs(times - length / 2).argmin(keepdims=True)
        times = times.clip(0, length)
    return values[inside], times[inside]
