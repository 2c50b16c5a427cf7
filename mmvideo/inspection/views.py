"""What the model is given of a clip in evaluation, and of pictures in training, as plain arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.config import Input
from mmvideo.data.collate import collate
from mmvideo.data.dataset import ClipDataset, stored_seconds
from mmvideo.errors import InputError
from mmvideo.inspection.heard import Heard, heard
from mmvideo.inspection.opened import Inspected
from mmvideo.modalities.base import Modality
from mmvideo.modalities.text import Text
from mmvideo.store.clip_format import BLANK
from mmvideo.vocabulary import SPLITS


@dataclass(frozen=True, eq=False)
class ModalityView:
    """What the model is given of one modality. Times are seconds from the window's start."""

    name: str
    kind: str
    values: NDArray[Any]
    """(N, ...); N is 0 where it is absent. Visual: uint8 (N, 3, H, W); audio: (N, hop); text: ids (N,);
    features: (N, F)."""
    times: NDArray[np.float32]  # (N,)
    pieces: tuple[str, ...] = ()
    """Text: what each id stands for."""
    heard: Heard | None = None
    """Audio: what the encoder makes of it before it learns anything."""


@dataclass(frozen=True, eq=False)
class ClipView:
    """One clip as the model is given it in evaluation."""

    id: str
    label: str
    split: str
    seconds: float
    """How long the whole clip lasts; 0 where nothing of it tells."""
    window: float
    """Longest part of it that the model is given."""
    modalities: tuple[ModalityView, ...]
    """In the model's order, the absent ones too."""
    warnings: tuple[str, ...] = ()
    changed: tuple[ModalityView, ...] = ()
    """Pictures as the first epoch of training changes them, of the modalities that are changed."""

    @property
    def absent(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.modalities if not len(m.values))


def view_examples(inspected: Inspected, count: int) -> list[ClipView]:
    """Some of the readable clips, as the configuration's model is given them in evaluation."""
    source = inspected.source
    return [view_clip(inspected, clip) for clip in _examples(source.manifest, source.keys, count)]


def _examples(manifest: Manifest, readable: Mapping[str, str], count: int) -> list[Clip]:
    """Up to `count` readable clips: of each class one in turn, from the training split first."""
    order = sorted(
        (clip for clip in manifest.clips if clip.id in readable), key=lambda clip: SPLITS.index(clip.split)
    )
    turns: Counter[str] = Counter()
    ranked = []
    for place, clip in enumerate(order):
        label = str(clip.label)
        ranked.append((turns[label], place))
        turns[label] += 1
    return [order[place] for _, place in sorted(ranked)[:count]]


def view_clip(inspected: Inspected, clip: Clip) -> ClipView:
    """What the data set gives the model of a readable clip. What cannot be read is absent, and told."""
    config = inspected.config
    lost = [name for name, ids in inspected.unreadable.items() if clip.id in ids]
    read = [m for name, m in inspected.modalities.items() if name not in lost]
    warnings = [*inspected.report.warnings.get(clip.id, ()), *(f"{name} cannot be read." for name in lost)]
    warnings += [
        f"{name} is {BLANK[config.inputs[name].kind]}."
        for name, ids in inspected.blank.items()
        if clip.id in ids
    ]
    inputs: Mapping[str, tuple[Tensor, Tensor]] = {}
    changed: tuple[ModalityView, ...] = ()
    try:
        inputs = ClipDataset([clip], inspected.source, read, config.data, training=False)[0].inputs
        changed = tuple(_changed(inspected, clip, read))
    except InputError as error:
        warnings.append(str(error))
    views = (
        _view(name, given, inspected.modalities.get(name), inputs.get(name))
        for name, given in config.active.items()
    )
    return ClipView(
        id=clip.id,
        label=", ".join(classes_of(clip.label)) or str(clip.label),
        split=clip.split,
        seconds=_seconds(inspected, clip),
        window=config.data.max_seconds,
        modalities=tuple(views),
        warnings=tuple(warnings),
        changed=changed,
    )


def _changed(inspected: Inspected, clip: Clip, read: Sequence[Modality]) -> Iterator[ModalityView]:
    films = [m for m in read if m.changing()]
    config = inspected.config
    data = ClipDataset([clip], inspected.source, films, config.data, training=True, seed=config.seed)
    if films:
        for name, tokens in collate([data[1, 0]]).finished().inputs.items():
            there = tokens.mask[0]
            yield ModalityView(
                name,
                inspected.modalities[name].kind,
                tokens.values[0][there].numpy(),
                tokens.time[0][there].numpy(),
            )


def _view(
    name: str, given: Input, modality: Modality | None, read: tuple[Tensor, Tensor] | None
) -> ModalityView:
    kind = given.component.kind
    if modality is None or read is None:
        return ModalityView(name, kind, np.zeros(0, np.float32), np.zeros(0, np.float32))
    values, times = (tensor.numpy() for tensor in read)
    pieces: tuple[str, ...] = ()
    if isinstance(modality, Text):
        ids = values.reshape(len(values), -1)[:, 0] if len(values) else values
        pieces = tuple(str(modality.tokenizer.tokenizer.id_to_token(int(piece))) for piece in ids)
    shown = None
    if kind == "audio" and len(values):
        shown = heard(given, values, times, modality.told)
    return ModalityView(name, kind, values, times, pieces, shown)


def media_seconds(inspected: Inspected, clip: Clip) -> float:
    """How long a readable clip's picture, sound and features last; words have no length of their own."""
    store = inspected.source.store
    lengths, settings = store.lengths(inspected.source.keys[clip.id]), store.settings
    stored = (lengths["frames"] / settings.frame_rate, lengths["samples"] / (settings.sample_rate or 1))
    return max(*stored, _told_seconds(inspected, clip))


def _seconds(inspected: Inspected, clip: Clip) -> float:
    """How long a readable clip is for the data set, which cuts its window from that."""
    store = inspected.source.store
    with store.open(inspected.source.keys[clip.id]) as stored:
        return max(stored_seconds(stored.clip, store.settings), _told_seconds(inspected, clip))


def _told_seconds(inspected: Inspected, clip: Clip) -> float:
    readable = (
        modality
        for name, modality in inspected.modalities.items()
        if clip.id not in inspected.unreadable.get(name, ())
    )
    return max((modality.seconds(clip) for modality in readable), default=0.0)
