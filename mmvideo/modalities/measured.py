"""Modalities whose encoder may ask for the mean and deviation of what it makes of the items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.modalities.base import ClipSource, Modality
from mmvideo.modalities.feature_survey import Moments
from mmvideo.types import FeatureInput

Measure = Callable[[Tensor], Tensor]
"""A clip's items (N, ...) → a vector for each, (N, F)."""
MOST_CLIPS = 1000
"""Training clips that are measured, evenly spread over the manifest; where there are fewer, all."""


class MeasuredModality(Modality):
    """Where its encoder's needs have a `measure`, the training clips' vectors are measured and told to it."""

    measured: FeatureInput | None = None

    @property
    def told(self) -> FeatureInput | None:
        """Width, length and spread of the measured vectors; None: nothing was to be measured."""
        return self.measured

    def open(self, source: ClipSource, learnt: Path | None = None) -> None:
        super().open(source, learnt)
        measure: Measure | None = self.needs.measure
        if measure is None:
            return
        if learnt is not None:
            self.measured = load_measured(learnt / f"{self.name}.json")
            return
        key = (self.config, self.needs)
        self.measured = source.keep(("measured", self.name), key, lambda: self._measure(source, measure))

    def _measure(self, source: ClipSource, measure: Measure) -> FeatureInput:
        clips = [clip for clip in source.clips if clip.split == "train" and clip.id in self.present]
        if not clips:
            raise InputError(
                f"No training clip has {self.name}, so its encoder cannot be told what is usual; leave "
                f"{self.name} out of the modalities."
            )
        moments, longest = Moments(), 1
        for clip in clips[:: -(-len(clips) // MOST_CLIPS)]:
            with source.store.open(source.keys[clip.id]) as stored:
                vectors = measure(self.whole(clip, stored)[0])
            moments.add(vectors.numpy())
            longest = max(longest, len(vectors))
        mean, std = moments.result()
        return FeatureInput(moments.width, longest, tuple(mean.tolist()), tuple(std.tolist()))

    def save(self, folder: Path) -> None:
        if self.measured is not None:
            write_json(folder / f"{self.name}.json", asdict(self.measured))


def load_measured(path: Path) -> FeatureInput:
    """What was kept of a measured modality.

    Raises:
        InputError: it is not there, or is something else.
    """
    record: dict[str, Any] = read_json(path)
    try:
        return FeatureInput(
            int(record["width"]), int(record["longest"]), tuple(record["mean"]), tuple(record["std"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold what a run has learnt of its features ({error}).") from error
