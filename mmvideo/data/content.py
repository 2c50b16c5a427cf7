"""What opened data hold, split by split and modality by modality, and what is told of it before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmvideo.clips.labels import classes_of
from mmvideo.clips.notices import (
    absence_notices,
    blank_notices,
    presence_notices,
    split_notices,
    unread_notices,
    untrained_notices,
)
from mmvideo.config import RunConfig
from mmvideo.data.opened import Opened, make_modality
from mmvideo.modalities.base import Modality
from mmvideo.records import SplitContent
from mmvideo.store.clip_format import BLANK
from mmvideo.vocabulary import SPLITS, Split, in_order


@dataclass(frozen=True)
class DataContent:
    """What the readable clips have of a configuration's inputs, active or not."""

    present: Mapping[str, frozenset[str]]
    """By input, in order, ids of the clips that have it."""
    blank: Mapping[str, frozenset[str]]
    """By input, ids of those in which it is digital silence, or pictures of one colour."""
    splits: Mapping[Split, SplitContent]
    notices: tuple[str, ...]
    """What is to be known before training."""


def content_of(
    config: RunConfig, source: Opened, opened: Mapping[str, Modality] | None = None
) -> DataContent:
    """Count what the clips hold; no medium is read.

    Args:
        opened: modalities of the configuration that are there already.

    Raises:
        InputError: no clip of a split has anything, so that no result can come.
    """
    known = opened or {}
    of = {
        name: known.get(name) or make_modality(name, given, config.data.frame_rate)
        for name, given in config.inputs.items()
    }
    present = {name: of[name].where(source) for name in in_order(of)}
    blank = {
        name: ids & {id for id, kinds in source.blank.items() if config.inputs[name].kind in kinds}
        for name, ids in present.items()
    }
    clips = source.clips
    words = {name: BLANK.get(config.inputs[name].kind, "") for name in present}
    notices = (
        *split_notices(clips),
        *unread_notices(clips, present),
        *presence_notices(clips, present),
        *absence_notices(clips, present),
        *untrained_notices(clips, {name: present[name] for name in config.modalities}),
        *blank_notices(clips, present, blank, words),
    )
    return DataContent(present, blank, _by_split(source, present, blank), notices)


def _by_split(
    source: Opened, present: Mapping[str, frozenset[str]], blank: Mapping[str, frozenset[str]]
) -> dict[Split, SplitContent]:
    found: dict[Split, SplitContent] = {}
    for split in SPLITS:
        clips = [clip for clip in source.clips if clip.split == split]
        ids = {clip.id for clip in clips}
        found[split] = SplitContent(
            clips=len(clips),
            groups=len({clip.group for clip in clips}),
            classes=len({name for clip in clips for name in classes_of(clip.label)}),
            failed=sum(clip.split == split and clip.id in source.failed for clip in source.manifest.clips),
            present={name: len(ids & having) for name, having in present.items()},
            blank={name: len(ids & holding) for name, holding in blank.items()},
        )
    return found
