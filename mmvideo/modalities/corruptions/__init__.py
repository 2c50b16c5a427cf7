"""Corruptions: damage to clips in five severities, by which finished models are tested.

What a clip's damage is, is a function of (seed, clip, corruption): the same for every model, arm and run, for
all frames and windows of the clip, and of one kind at all severities, so that more severe means more of the
same. To add one: its function in the file of its kind of modality, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from mmvideo.clips.manifest import Clip
from mmvideo.modalities.corruptions import pictures, sounds, vectors, words
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.subtitles import Word

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One kind of damage, and how strong it is at each severity, mildest first."""

    apply: Callable[..., Any]
    levels: tuple[float, float, float, float, float]
    unit: str


CORRUPTIONS: dict[str, dict[str, Corruption]] = {
    "visual": {
        "gaussian_noise": Corruption(pictures.gaussian_noise, (0.04, 0.08, 0.14, 0.22, 0.35), "of the range"),
        "blur": Corruption(pictures.blur, (0.015, 0.025, 0.04, 0.065, 0.1), "of the side"),
        "contrast": Corruption(pictures.contrast, (0.7, 0.5, 0.35, 0.2, 0.1), "left"),
        "occlusion": Corruption(pictures.occlusion, (0.1, 0.2, 0.3, 0.45, 0.6), "of the area"),
        "jpeg": Corruption(pictures.jpeg, (40, 20, 10, 5, 2), "quality"),
        "frame_rate": Corruption(pictures.frame_rate, (2, 3, 4, 6, 12), "times fewer frames"),
    },
    "audio": {
        "white_noise": Corruption(sounds.white_noise, (20, 10, 5, 0, -5), "dB"),
        "shaped_noise": Corruption(sounds.shaped_noise, (20, 10, 5, 0, -5), "dB"),
        "clipping": Corruption(sounds.clipping, (0.5, 0.25, 0.12, 0.06, 0.03), "of the peak"),
        "low_pass": Corruption(sounds.low_pass, (0.5, 0.25, 0.12, 0.06, 0.03), "of the highest frequency"),
        "dropouts": Corruption(sounds.dropouts, (0.1, 0.2, 0.35, 0.5, 0.7), "of the packets"),
        "offset": Corruption(sounds.offset, (0.04, 0.08, 0.16, 0.32, 0.64), "s"),
    },
    "text": {
        "characters": Corruption(words.characters, (0.05, 0.1, 0.2, 0.35, 0.5), "of the characters"),
        "word_deletion": Corruption(words.word_deletion, (0.1, 0.2, 0.4, 0.6, 0.8), "of the words"),
        "word_masking": Corruption(words.word_masking, (0.1, 0.2, 0.4, 0.6, 0.8), "of the words"),
        "word_shuffle": Corruption(words.word_shuffle, (0.2, 0.4, 0.6, 0.8, 1.0), "of the words"),
        "time_shift": Corruption(words.time_shift, (0.1, 0.2, 0.4, 0.8, 1.6), "s"),
    },
    "features": {
        "noise": Corruption(vectors.noise, (0.25, 0.5, 1.0, 2.0, 4.0), "deviations"),
        "dropout": Corruption(vectors.dropout, (0.1, 0.25, 0.5, 0.75, 0.9), "of the dimensions"),
    },
}
"""Kind of modality → name → corruption. The first of a kind is what is combined with other modalities'."""


@dataclass(frozen=True)
class Damage:
    """A corruption at one severity, as a modality of a run is given it."""

    kind: str
    name: str
    severity: int
    seed: int = 0

    @property
    def level(self) -> float:
        return CORRUPTIONS[self.kind][self.name].levels[self.severity - 1]

    def _made(self, clip: Clip, *given: Any, part: str = "") -> Any:
        draw = np.random.default_rng(derive_seed("corruption", self.seed, self.name, clip.id, part))
        return CORRUPTIONS[self.kind][self.name].apply(*given, self.level, draw)

    def clip(self, clip: Clip, stored: OpenClip) -> tuple[Clip, OpenClip]:
        """The clip with its pictures or words damaged, metadata among the words; sound and features are
        damaged where they are read."""
        if self.kind == "visual":
            return clip, _DamagedPictures(stored.clip, stored._path, stored._file, self, clip, stored)
        if self.kind == "text":
            metadata = {name: self._text(clip, name, text) for name, text in clip.metadata.items()}
            spoken = tuple(self._made(clip, stored.clip.words))
            damaged = replace(stored, clip=replace(stored.clip, words=spoken))
            return clip.model_copy(update={"metadata": metadata}), damaged
        return clip, stored

    def _text(self, clip: Clip, field: str, text: str) -> str:
        told = [Word(word, 0.0, 0.0) for word in text.split()]
        return " ".join(word.text for word in self._made(clip, told, part=field)) if told else text

    def sound(self, clip: Clip, samples: ndarray, rate: int) -> ndarray:
        """A whole clip's sound, (S,)."""
        damaged: ndarray = self._made(clip, samples, rate) if len(samples) else samples
        return damaged.astype(np.float32)

    def vectors(self, clip: Clip, values: ndarray, mean: ndarray, std: ndarray) -> ndarray:
        """All of a clip's vectors, (N, F)."""
        damaged: ndarray = self._made(clip, values, mean, std) if len(values) else values
        return damaged.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _DamagedPictures(OpenClip):
    """A stored clip whose frames are damaged as they are read."""

    damage: Damage
    of: Clip
    stored: OpenClip

    def frames(self, indices: ndarray) -> ndarray:
        if not len(indices):
            return self.stored.frames(indices)
        damaged: ndarray = self.damage._made(self.of, self.stored.frames, indices)
        return damaged
