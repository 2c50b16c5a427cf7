"""Precomputed features of a clip: cleaned, timed, and measured over a data set.

What counts as padding: vectors of zeros at a sequence's end (feature files such as MMSA's are padded to one
length). They are cut off, whatever comes before them stays. A clip whose features are all zeros has none: the
modality is absent, as where the manifest names no features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.feature_files import read_array
from mmvideo.clips.manifest import Clip, Manifest, shown
from mmvideo.config import FeaturesConfig
from mmvideo.errors import InputError
from mmvideo.files import read_json, write_json
from mmvideo.types import FeatureInput
from mmvideo.vocabulary import MODALITIES, Modality

CONSTANT = 1e-6
"""A dimension whose deviation is below this share of its mean (or of 1) is left unscaled."""


@dataclass(frozen=True)
class FeatureSource:
    """One modality's features for the clips of a manifest, each (N, `width`)."""

    manifest: Manifest
    modality: Modality
    config: FeaturesConfig
    width: int

    def read(self, clip: Clip) -> NDArray[np.float32]:
        """The clip's feature vectors, (N, width); N is 0 where it has none.

        Raises:
            InputError: the file, the part of it, the shape or the values are not what they should be.
        """
        values, _ = read_features(self.manifest, clip, self.modality, self.config)
        if len(values) and values.shape[1] != self.width:
            raise InputError(
                f"{clip.id}: its {self.modality} features have {values.shape[1]} numbers each; "
                f"those of this run have {self.width}."
            )
        return values if len(values) else np.zeros((0, self.width), np.float32)


def span_of(clip: Clip, features: Mapping[str, NDArray[np.float32]]) -> float:
    """How many seconds a clip's features last: by their rates, or by its span in the manifest; else 0."""
    ends = [len(features[m]) / rate for m, rate in clip.features_rate.items() if m in features]
    spanned = [] if clip.end is None or not features else [clip.end - (clip.start or 0.0)]
    return max([*ends, *spanned], default=0.0)


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


@dataclass(frozen=True)
class Survey:
    """One modality's features over a whole manifest."""

    input: FeatureInput
    present: frozenset[str]
    """Clips that have the modality."""
    zeroed: int
    """NaN and infinite values that were set to zero."""


def read_features(
    manifest: Manifest, clip: Clip, modality: Modality, config: FeaturesConfig
) -> tuple[NDArray[np.float32], int]:
    """A clip's feature vectors (N, D) without padding at the end, and how many values were set to zero.

    Raises:
        InputError: as `FeatureSource.read`.
    """
    reference = manifest.feature(clip, modality)
    if reference is None:
        return np.zeros((0, 0), np.float32), 0
    name = f"{clip.id}: {modality} features {clip.features[modality]}"
    try:
        values = read_array(*reference)
    except InputError as error:
        raise InputError(f"{clip.id}: {modality} features {error}") from error
    if values.ndim not in (1, 2) or not values.shape[-1]:
        raise InputError(
            f"{name} have the shape {values.shape}; expected one vector (D,) or a sequence (N, D). "
            "A row of a larger array is named by `#row`."
        )
    values = np.atleast_2d(values)
    bad = ~np.isfinite(values)
    if bad.any():
        if config.non_finite == "error":
            raise InputError(
                f"{name} hold {bad.sum()} of {bad.size} values that are NaN or infinite, the first in "
                f"dimension {np.argwhere(bad)[0, 1]}. Repair the file, or set data.features.non_finite to "
                "'zero'."
            )
        values[bad] = 0.0
    real = np.flatnonzero(values.any(axis=1))
    return values[: real[-1] + 1 if len(real) else 0], int(bad.sum())


def survey(manifest: Manifest, clips: Iterable[Clip], modality: Modality, config: FeaturesConfig) -> Survey:
    """Read every clip's features once: all must be readable and of one width; the training split is measured.

    Raises:
        InputError: features that cannot be used (all counted, five shown), or no training clip has any.
    """
    moments = _Moments()
    present: dict[str, int] = {}
    problems: list[str] = []
    longest, zeroed = 1, 0
    for clip in clips:
        try:
            values, replaced = read_features(manifest, clip, modality, config)
        except InputError as error:
            problems.append(str(error))
            continue
        zeroed += replaced
        if not len(values):
            continue
        present[clip.id] = values.shape[1]
        if clip.split == "train":
            longest = max(longest, len(values))
            moments.add(values)
    problems += _odd_widths(present, modality)
    if problems:
        raise InputError(
            f"The {modality} features of {len(problems)} clips cannot be used:\n" + shown(problems, "\n")
        )
    if not moments.count:
        raise InputError(
            f"The {modality} encoder reads precomputed features, and no training clip has any: the column "
            f"`features` of the manifest names none for '{modality}', or they are all zeros. Add them, "
            f"choose another {modality}.name, or leave {modality} out of the modalities."
        )
    mean, std = moments.result() if config.standardize else (np.zeros(moments.width), np.ones(moments.width))
    measured = FeatureInput(moments.width, longest, tuple(mean.tolist()), tuple(std.tolist()))
    return Survey(measured, frozenset(present), zeroed)


def _odd_widths(widths: Mapping[str, int], modality: Modality) -> list[str]:
    """The clips whose width is not that of the first."""
    usual = next(iter(widths.values()), 0)
    return [
        f"{name}: its {modality} features have {width} numbers each; those of the first clip have {usual}"
        for name, width in widths.items()
        if width != usual
    ]


class _Moments:
    """Mean and deviation per dimension, merged block by block (Chan et al., 1983).

    https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(0)
        self.squares: NDArray[np.float64] = np.zeros(0)

    @property
    def width(self) -> int:
        return len(self.mean)

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in a block (N, D); one of another width than the first is left out (it is an error anyway)."""
        if not self.count:
            self.mean, self.squares = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        if values.shape[1] != self.width:
            return
        block = values.astype(np.float64)
        mean, total = block.mean(axis=0), self.count + len(block)
        self.squares += ((block - mean) ** 2).sum(axis=0)
        self.squares += (mean - self.mean) ** 2 * self.count * len(block) / total
        self.mean = self.mean + (mean - self.mean) * len(block) / total
        self.count = total

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation (of the population); a constant dimension's deviation is 1."""
        std = np.sqrt(self.squares / self.count)
        return self.mean, np.where(std < CONSTANT * np.maximum(1.0, np.abs(self.mean)), 1.0, std)


def save_inputs(path: Path, inputs: Mapping[Modality, FeatureInput]) -> None:
    """Keep with the run what its encoders were told; no file where there is nothing to tell."""
    if inputs:
        write_json(path, {modality: asdict(told) for modality, told in inputs.items()})


def load_inputs(path: Path) -> dict[Modality, FeatureInput]:
    """What `save_inputs` wrote; nothing where it wrote no file."""
    found = read_json(path)
    return {
        m: FeatureInput(told["width"], told["longest"], tuple(told["mean"]), tuple(told["std"]))
        for m in MODALITIES
        if (told := found.get(m))
    }


def check_widths(inputs: Mapping[Modality, FeatureInput], found: Mapping[Modality, Survey]) -> None:
    """Raises InputError where features are not as wide as those that a run was trained on."""
    for modality, measured in found.items():
        if measured.input.width != inputs[modality].width:
            raise InputError(
                f"The {modality} features have {measured.input.width} numbers each; the run was trained on "
                f"{inputs[modality].width}. Give features made in the same way."
            )
