"""What a modality is: a way of reading one input of a clip, whatever it is called in the manifest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.modalities.corruptions import Corruption, Damage
from mmvideo.schema import Part
from mmvideo.seeding import derive_seed
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import EncodedClips
from mmvideo.store.store import Store
from mmvideo.types import Pending

T = TypeVar("T")
EncodeNow = Callable[[Clip, OpenClip], tuple[NDArray[np.float32], NDArray[np.float64]]]
"""A clip → its tokens (N, F), and their times (N,) in seconds from its start."""
ENDLESS = 1e9
"""Seconds that no clip lasts."""


@dataclass(frozen=True)
class View:
    """One look at a clip: which of its windows, from 0 (the first) to 1 (the last), and which variant of it,
    where a modality has several (crops)."""

    window: float = 0.5
    variant: int | None = None
    """None: the one in the middle."""


@dataclass(frozen=True)
class Window:
    """The part of a clip that a sample shows, in seconds; the seed of its draws; which view it is."""

    start: float
    length: float
    clip_seconds: float
    """How long the whole clip lasts."""
    draw: int
    view: View


@dataclass
class ClipSource:
    """The readable clips of a manifest, and where they are stored."""

    manifest: Manifest
    store: Store
    keys: Mapping[str, str]
    """Readable clip's id → its key in the store."""
    stored: Mapping[str, tuple[str, ...]]
    """Readable clip's id → which of visual, audio, text the store has of it."""
    kept: dict[Hashable, tuple[Hashable, Any]] = field(default_factory=dict)

    @property
    def clips(self) -> list[Clip]:
        """Those that could be decoded, in the manifest's order."""
        return [clip for clip in self.manifest.clips if clip.id in self.keys]

    def keep(self, slot: Hashable, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes, kept until the slot is asked for under another key."""
        held = self.kept.get(slot)
        if held is None or held[0] != key:
            self.kept.pop(slot, None)  # before the new one is made: each may be large
            held = self.kept[slot] = (key, make())
        return cast(T, held[1])


class Modality:
    """How one modality of a run is read.

    A subclass names its `kind`, its `default_encoder` and its options (`Config`), and gives `where`, `read`
    and what else is not as here. To add one: one file, and one line in `mmvideo.components.MODALITY_KINDS`.

    Args:
        config: its options.
        name: what the manifest and the run call it.
        needs: what its encoder has to be given (`Encoder.needs`).
        frame_rate: frames a second, the clock that windows of all modalities are cut by.
    """

    kind: ClassVar[str]
    default_encoder: ClassVar[str]
    variants: int = 1
    """Variants of a window in evaluation, whose predictions are averaged."""
    corruptions: Mapping[str, Corruption] = MappingProxyType({})
    """By name, what its input can be damaged by. The first is what is combined with other modalities'."""
    damage: Damage | None = None
    """How its input is corrupted, to test a finished model; None: it is as it is."""
    view: int | None = None
    """The changes of training in which whole clips are shown (`changed`); None: none, as in evaluation."""
    views: tuple[EncodedClips, ...] = ()
    """As `encoded`, of clips in so many changes of training: a sample in training shows one of them."""
    encode_now: EncodeNow | None = None
    """What makes a damaged clip's tokens where `encoded` has those of the clip as it is."""
    zeroed: int = 0
    """Values that could not be read as numbers and were set to zero."""

    class Config(Part):
        """The options; none."""

    def __init__(self, config: Any, name: str, needs: Any, frame_rate: float) -> None:
        self.config, self.name, self.needs, self.frame_rate = config, name, needs, frame_rate
        self.present: frozenset[str] = frozenset()
        """Ids of the clips that have the modality, once `open` has looked."""
        self.encoded: EncodedClips | None = None
        """What its encoder made of all clips before (`Encoder.encode_ahead`), read in place of the input."""

    @property
    def told(self) -> Any:
        """What its encoder is told of the data, learnt from the training split; None: nothing."""
        return None

    @classmethod
    def check(cls, config: Any, needs: Any) -> None:
        """Raises ValueError where the options cannot give what the encoder needs."""

    @classmethod
    def store_settings(cls, config: Any, needs: Any) -> dict[str, Any]:
        """What of it is kept in the store, as fields of `mmvideo.store.keys.StoreSettings`."""
        return {}

    def open(self, source: ClipSource, learnt: Path | None = None) -> None:
        """Find out which clips have it, and learn from the training clips what the encoder is told.

        Args:
            learnt: a folder in which `save` has kept what was learnt before; None: it is learnt here.

        Raises:
            InputError: the data cannot be read as the options say, or do not fit what was learnt.
        """
        self.present = self.where(source)

    def where(self, source: ClipSource) -> frozenset[str]:
        """Ids of the clips that have it, whether or not a run is given it."""
        raise NotImplementedError(f"{type(self).__name__} defines no where")

    def refuse_unusable(self, source: ClipSource) -> None:
        """
        Raises:
            InputError: no run could be trained on what the data have of it.
        """

    def save(self, folder: Path) -> None:
        """Keep what was learnt, as `<folder>/<name>.json`; nothing where there is nothing."""

    def seconds(self, clip: Clip) -> float:
        """How long the clip lasts, as far as this tells beyond what the store has of it."""
        return 0.0

    def longest(self, seconds: float) -> int | None:
        """Items in the longest sample of a window of so many seconds; None: nobody knows."""
        return None

    def varies(self) -> bool:
        """Whether two readings of one window in training may differ."""
        return False

    @property
    def reading(self) -> dict[str, Any]:
        """The options that decide what `whole` reads of a stored clip, as plain JSON values; those that
        serve the encoder's own preprocessing are left out."""
        return {}

    def beside(self, clip: Clip) -> Any:
        """What `whole` reads of a clip that is not in the store, as plain JSON values; None: nothing."""
        return None

    def sample(
        self, clip: Clip, stored: OpenClip, window: Window, *, training: bool
    ) -> tuple[Tensor, Tensor]:
        """What a run is given of the window: what was encoded ahead, where it was, else what `read` reads."""
        clip, stored = self.damaged(clip, stored)
        if self.encoded is None:
            return self.read(clip, stored, window, training=training)
        kept = self.encoded
        if training and self.views:
            kept = self.views[derive_seed(window.draw, "view") % len(self.views)]
        values, times = self.encode_now(clip, stored) if self.encode_now else kept.read(clip.id)
        inside = self.inside(times, stored, window, training=training)
        seconds = self.within(times[inside], window)
        return torch.from_numpy(values[inside]), torch.from_numpy(seconds.astype(np.float32))

    def damaged(self, clip: Clip, stored: OpenClip) -> tuple[Clip, OpenClip]:
        """The clip as `damage` leaves it, where that is done before the clip is read."""
        return clip, stored

    def within(self, times: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
        """Seconds from the clip's start → from the window's."""
        return (times - window.start).clip(0.0, window.length)

    def inside(
        self, times: NDArray[np.float64], stored: OpenClip, window: Window, *, training: bool
    ) -> NDArray[np.intp]:
        """Which of a clip's items, at these times in seconds from its start, the window shows."""
        return np.flatnonzero((times >= window.start) & (times < window.start + window.length))

    def read(self, clip: Clip, stored: OpenClip, window: Window, *, training: bool) -> tuple[Tensor, Tensor]:
        """The window's items: values (N, ...) and times (N,) in seconds from its start; N is 0 where
        absent."""
        raise NotImplementedError(f"{type(self).__name__} defines no read")

    def changing(self) -> list[str]:
        """The options by which training changes pictures at random; empty where they are no pictures."""
        return []

    def pending(self, values: Tensor, window: Window) -> tuple[Tensor, Pending] | None:
        """A training sample's values, and what they still have to undergo, together with the batch's others,
        on the device; None, for all samples of a run: nothing."""
        return None

    def whole(self, clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
        """All of the clip's items, as `read` gives them in evaluation, or in the changes of `view`."""
        changed = self.view is not None
        window = Window(0.0, ENDLESS, 0.0, self.view_draw(clip), View())
        return self.read(clip, stored, window, training=changed)

    def changed(self, view: int) -> Self:
        """The same, as it shows whole clips in one of the changes of training: always the same for a clip and
        a number."""
        other = copy(self)
        other.view = view
        return other

    def view_draw(self, clip: Clip) -> int:
        """The seed of a clip's changes in `view`; 0 where there is none."""
        return 0 if self.view is None else derive_seed(self.view, "view", clip.id)
