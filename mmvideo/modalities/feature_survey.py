"""Precomputed features read from their files, and measured once over a whole manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.feature_files import read_array, without_padding
from mmvideo.clips.manifest import Clip, Manifest, shown
from mmvideo.errors import InputError
from mmvideo.schema import Part
from mmvideo.types import FeatureInput

CONSTANT = 1e-6
"""A dimension whose deviation is below this share of its mean (or of 1) is left unscaled."""
LARGEST = 1e18
"""What values lie below: the square of a larger one, as of its deviation, does not fit 32 bits."""


class FeatureConfig(Part):
    """How feature files are read."""

    standardize: bool = True
    """Shift and scale each dimension by its mean and standard deviation over the training split."""
    non_finite: Literal["error", "zero"] = "error"
    """What becomes of NaN, infinite values and those too large to be squared (from 1e18 on). `error`: the
    work stops and names them."""


@dataclass(frozen=True)
class Survey:
    """One modality's features over a whole manifest."""

    modality: str
    present: frozenset[str]
    """Clips that have the modality; those whose features cannot be used are among them."""
    zeroed: int
    """NaN, infinite and too large values that were set to zero."""
    problems: tuple[str, ...]
    """Why features of clips cannot be used."""
    measured: FeatureInput | None
    """None: no training clip has any."""

    def input(self) -> FeatureInput:
        """What an encoder is told of them.

        Raises:
            InputError: some cannot be used (all counted, five shown), or no training clip has any.
        """
        if self.problems:
            raise InputError(
                f"The {self.modality} features of {len(self.problems)} clips cannot be used:\n"
                + shown(self.problems, "\n")
            )
        if self.measured is None:
            name = self.modality
            raise InputError(
                f"'{name}' is read from precomputed features, and no training clip has any: the column "
                f"`features` of the manifest names none for '{name}', or they are all zeros. Add them, "
                f"choose another inputs.{name}.kind, or leave {name} out of the modalities."
            )
        return self.measured


def read_features(
    manifest: Manifest, clip: Clip, modality: str, config: FeatureConfig
) -> tuple[NDArray[np.float32], int]:
    """A clip's feature vectors (N, D) without padding at the end, and how many values were set to zero.

    Raises:
        InputError: the file, the part of it, the shape or the values are not what they should be.
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
    bad = ~(np.abs(values) < LARGEST)
    if bad.any():
        if config.non_finite == "error":
            raise InputError(
                f"{name} hold {bad.sum()} of {bad.size} values that are NaN, infinite or beyond {LARGEST:g}, "
                f"the first in dimension {np.argwhere(bad)[0, 1]}. Repair the file, or set "
                f"inputs.{modality}.options.non_finite to 'zero'."
            )
        values[bad] = 0.0
    return without_padding(values), int(bad.sum())


def survey(manifest: Manifest, clips: Iterable[Clip], modality: str, config: FeatureConfig) -> Survey:
    """Read every clip's features once: all should be readable and of one width; the training split is
    measured."""
    moments = Moments()
    widths: dict[str, int] = {}
    problems: dict[str, str] = {}
    longest, zeroed = 1, 0
    for clip in clips:
        try:
            values, replaced = read_features(manifest, clip, modality, config)
        except InputError as error:
            problems[clip.id] = str(error)
            continue
        zeroed += replaced
        if not len(values):
            continue
        widths[clip.id] = values.shape[1]
        if clip.split == "train":
            longest = max(longest, len(values))
            moments.add(values)
    present = frozenset(widths.keys() | problems.keys())
    told = (*problems.values(), *_odd_widths(widths, modality))
    if not moments.count:
        return Survey(modality, present, zeroed, told, None)
    mean, std = moments.result() if config.standardize else (np.zeros(moments.width), np.ones(moments.width))
    measured = FeatureInput(moments.width, longest, tuple(mean.tolist()), tuple(std.tolist()))
    return Survey(modality, present, zeroed, told, measured)


def _odd_widths(widths: Mapping[str, int], modality: str) -> list[str]:
    """The clips whose width is not that of the first."""
    usual = next(iter(widths.values()), 0)
    return [
        f"{name}: its {modality} features have {width} numbers each; those of the first clip have {usual}"
        for name, width in widths.items()
        if width != usual
    ]


class Moments:
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
