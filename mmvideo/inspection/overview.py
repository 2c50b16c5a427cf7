"""What a manifest holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmvideo.clips.audit import audit
from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import check_files
from mmvideo.clips.notices import absence_notices, blank_notices, split_notices, unread_notices
from mmvideo.errors import InputError
from mmvideo.inspection.opened import Inspected
from mmvideo.inspection.views import media_seconds
from mmvideo.modalities.features import PrecomputedFeatures
from mmvideo.store.clip_format import BLANK
from mmvideo.vocabulary import SPLITS, Split, presence_pattern


@dataclass(frozen=True)
class Overview:
    """A manifest in numbers."""

    modalities: tuple[str, ...]
    """The configuration's inputs, in order."""
    clips: Mapping[Split, int]
    groups: Mapping[Split, int]
    classes: Mapping[str, Mapping[Split, int]]
    """Clips per class and split; empty where labels are numbers."""
    presence: Mapping[str, Mapping[Split, int]]
    """Clips per pattern of present modalities (`visual+audio`) and split; each clip counts once."""
    presence_by_class: Mapping[str, Mapping[str, int]]
    """Class → modality → training clips that have it."""
    blank: Mapping[str, Mapping[Split, int]]
    """Modality → split → clips in which it is there and holds nothing; without those where it never does."""
    blank_by_class: Mapping[str, Mapping[str, int]]
    """Class → modality → such clips in training."""
    notices: tuple[str, ...]
    """What the splits cannot tell, and modalities that are mostly there in name only."""
    durations: Mapping[Split, tuple[float, float, float, float]]
    """Least, median, 95th percentile and most, in seconds, of the clips that have a length of their own."""
    total_seconds: float
    failed: Mapping[str, str]
    warnings: Mapping[str, tuple[str, ...]]
    features: tuple[str, ...]
    """Modalities that are read from feature files."""
    findings: tuple[str, ...] = ()
    """What a run would refuse, line by line; empty: the splits hold and all can be read."""


def survey_manifest(inspected: Inspected) -> Overview:
    """Count what a manifest holds; a failed audit is a finding, not an error."""
    manifest, report = inspected.source.manifest, inspected.report
    per_class: dict[str, dict[Split, int]] = {label: dict.fromkeys(SPLITS, 0) for label in manifest.classes}
    having: dict[str, Counter[str]] = {label: Counter() for label in manifest.classes}
    patterns: dict[str, dict[Split, int]] = {}
    seconds: dict[Split, list[float]] = {split: [] for split in SPLITS}
    blank = {name: ids for name, ids in inspected.blank.items() if ids}
    empty: dict[str, Counter[str]] = {label: Counter() for label in manifest.classes}
    for clip in manifest.clips:
        readable = clip.id in report.keys
        present = [name for name, ids in inspected.present.items() if clip.id in ids]
        for label in classes_of(clip.label):
            per_class[label][clip.split] += 1
            if clip.split == "train":
                having[label].update(present)
                empty[label].update(name for name, ids in blank.items() if clip.id in ids)
        pattern = presence_pattern(present) if readable else "failed to decode"
        patterns.setdefault(pattern, dict.fromkeys(SPLITS, 0))[clip.split] += 1
        length = media_seconds(inspected, clip) if readable else 0.0
        seconds[clip.split] += [length] if length else []
    return Overview(
        modalities=tuple(inspected.present),
        clips={split: len(manifest.split(split)) for split in SPLITS},
        groups={split: len({clip.group for clip in manifest.split(split)}) for split in SPLITS},
        classes=per_class,
        presence=dict(sorted(patterns.items(), key=lambda item: -sum(item[1].values()))),
        presence_by_class=having,
        blank={
            name: {split: sum(clip.id in ids for clip in manifest.split(split)) for split in SPLITS}
            for name, ids in blank.items()
        },
        blank_by_class=empty,
        notices=tuple(_notices(inspected, blank)),
        durations={split: _spread(values) for split, values in seconds.items() if values},
        total_seconds=sum(map(sum, seconds.values())),
        failed=report.failed,
        warnings=report.warnings,
        features=tuple(
            name for name, read in inspected.modalities.items() if isinstance(read, PrecomputedFeatures)
        ),
        findings=(*_audited(inspected), *inspected.findings),
    )


def _notices(inspected: Inspected, blank: Mapping[str, frozenset[str]]) -> list[str]:
    clips = inspected.source.clips
    words = {name: BLANK[inspected.config.inputs[name].kind] for name in blank}
    present = inspected.present
    return [
        *split_notices(clips),
        *unread_notices(clips, present),
        *absence_notices(clips, present),
        *blank_notices(clips, present, blank, words),
    ]


def _audited(inspected: Inspected) -> list[str]:
    """What is wrong with the files, or else with the splits."""
    manifest = inspected.source.manifest
    try:
        check_files(manifest)
        audit(manifest, hashes=inspected.hashes, task=inspected.config.data.task)
    except InputError as error:
        return str(error).splitlines()
    return []


def _spread(values: list[float]) -> tuple[float, float, float, float]:
    least, middle, late, most = np.quantile(values, [0, 0.5, 0.95, 1]).tolist()
    return least, middle, late, most
