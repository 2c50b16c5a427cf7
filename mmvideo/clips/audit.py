"""The checks a split has to pass before training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from statistics import fmean

from mmvideo.clips.contents import Contents, FeatureDigest
from mmvideo.clips.feature_files import has_content
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import classes_of, task_of
from mmvideo.clips.manifest import Clip, Manifest, natural_key, shown
from mmvideo.clips.validation import NO_VALIDATION, groups_to_move
from mmvideo.errors import InputError
from mmvideo.vocabulary import SPLITS, Split, TaskKind, agreed, counted

_LABELS: dict[TaskKind, str] = {
    "single_label": "one class, a string",
    "multi_label": "a list of classes",
    "regression": "a number",
}


@dataclass(frozen=True)
class AuditReport:
    """What a clean audit counted."""

    clips: Mapping[Split, int]
    groups: Mapping[Split, int]
    classes: Mapping[str, Mapping[Split, int]]
    """Clips per class and split, classes in natural order; empty for regression."""
    repeated: int
    """Clips whose files and span another clip of the same split has too. Allowed, but worth knowing."""
    contents: Contents
    values: Mapping[str, Mapping[Split, float]] = field(default_factory=dict)
    """Regression: the labels' mean, least and most per split; else empty."""

    def summary(self) -> str:
        """The counts as a plain-text table, one class a line."""
        width = max(len(name) for name in ("groups", *self.classes, *self.values))
        lines = [" ".join([f"{'':{width}}", *(f"{split:>7}" for split in SPLITS)])]
        rows: list[tuple[str, Mapping[Split, int]]] = [("clips", self.clips), ("groups", self.groups)]
        for name, counts in [*rows, *self.classes.items()]:
            lines.append(" ".join([f"{name:{width}}", *(f"{counts[split]:>7,}" for split in SPLITS)]))
        for name, values in self.values.items():
            lines.append(" ".join([f"{name:{width}}", *(f"{values[split]:>7.3g}" for split in SPLITS)]))
        if not self.clips["val"]:
            lines.append("No clip is in val: each run draws its own from train (data.validation_share).")
        if self.repeated:
            lines.append(f"{self.repeated} clips repeat the files and span of another clip of their split.")
        return "\n".join(lines)


def audit(manifest: Manifest, *, hashes: ContentHashes, task: TaskKind = "single_label") -> AuditReport:
    """Check that the labels fit the task and that no split can leak into another, and count.

    Empty files are not compared: they hold nothing that could leak, and decoding lists them.

    Raises:
        InputError: a label that is not the task's, one label for all, an id given twice, a group or a file's
            content in two splits, no clips to train or to test on, or none that could be validation, a class
            in val or test that train lacks, or a multi-label split in which no clip has a label. Every
            finding names its culprits; all findings come at once.
    """
    clips = manifest.clips
    contents = Contents.of(manifest, hashes)
    findings = [*_foreign_labels(clips, task), *_repeated_ids(clips), *_empty_splits(clips)]
    findings += [*_one_label(clips), *_untrained_classes(clips), *_unlabelled_splits(clips)]
    findings += _shared(
        "group",
        ((clip.group, clip) for clip in clips),
        "Give every group to one split: its clips resemble each other.",
    )
    findings += _shared(
        "file content",
        ((f"sha256 {digest[:12]}…", clip) for clip, files in contents.files for digest in files.values()),
        "Keep copies of one clip in one split: `prepare … --dedupe keep-first` keeps those of the split that "
        "is listed first and leaves the other clips out. If the file is a placeholder (silence, a blank "
        "picture) for what clips lack, name no file there instead: they count as lacking it, and stay.",
    )
    findings += _shared(
        "features",
        _features(manifest, contents.features),
        "Give each clip its own part of a feature file.",
    )
    if findings:
        raise InputError(
            f"The splits do not hold ({counted(len(findings), 'finding')}):\n" + "\n".join(findings)
        )
    spans = Counter(
        (clip.split, clip.start, clip.end, *sorted(files.items())) for clip, files in contents.files if files
    )
    per_class: dict[str, dict[Split, int]] = {label: dict.fromkeys(SPLITS, 0) for label in manifest.classes}
    for clip in clips:
        for name in classes_of(clip.label):
            per_class[name][clip.split] += 1
    return AuditReport(
        clips={split: len(manifest.split(split)) for split in SPLITS},
        groups={split: len({clip.group for clip in manifest.split(split)}) for split in SPLITS},
        classes=per_class,
        repeated=sum(count for count in spans.values() if count > 1),
        contents=contents,
        values=_values(manifest),
    )


def _values(manifest: Manifest) -> dict[str, dict[Split, float]]:
    numbers: dict[Split, list[float]] = {
        split: [clip.label for clip in manifest.split(split) if isinstance(clip.label, float)]
        for split in SPLITS
    }
    if not any(numbers.values()):
        return {}
    return {
        "label mean": {split: fmean(values) if values else nan for split, values in numbers.items()},
        "label min": {split: min(values, default=nan) for split, values in numbers.items()},
        "label max": {split: max(values, default=nan) for split, values in numbers.items()},
    }


def _foreign_labels(clips: Sequence[Clip], task: TaskKind) -> list[str]:
    foreign = [clip for clip in clips if task_of(clip.label) != task]
    if not foreign:
        return []
    kinds = ", ".join(sorted({task_of(clip.label) for clip in foreign}))
    named = shown([f"{clip.id}: {clip.label!r}" for clip in foreign])
    return [
        f"- {counted(len(foreign), 'label does', 'labels do')} not fit data.task '{task}', where a label is "
        f"{_LABELS[task]}: {named}."
        f" Set data.task to what the labels are for ({kinds}), or correct them."
    ]


def _unlabelled_splits(clips: Sequence[Clip]) -> list[str]:
    labelled = {clip.split for clip in clips if clip.label != ()}
    return [
        f"- no clip of split '{split}' has any label, so nothing can be measured on it."
        for split in SPLITS
        if split not in labelled and any(clip.split == split for clip in clips)
    ]


def _features(manifest: Manifest, rows: Sequence[FeatureDigest]) -> Iterator[tuple[str, Clip]]:
    """What each clip has of features. Zeros alone are left out: clips that share them have none."""
    splits: dict[tuple[str, str], set[Split]] = defaultdict(set)
    for clip, _, digest, steps in rows:
        splits[digest, steps].add(clip.split)
    empty: dict[tuple[str, str], bool] = {}
    for clip, modality, digest, steps in rows:
        part = digest, steps
        if len(splits[part]) > 1 and part not in empty:
            found = manifest.feature(clip, modality)
            assert found is not None
            try:
                empty[part] = not has_content(*found)
            except InputError:  # who reads the features tells it
                empty[part] = False
        if not empty.get(part):
            yield f"{modality} features sha256 {digest[:12]}…#{steps}", clip


def _repeated_ids(clips: Sequence[Clip]) -> list[str]:
    twice = [name for name, count in Counter(clip.id for clip in clips).items() if count > 1]
    found = f"- {agreed(len(twice), 'ids are given more than once')}: {shown(twice)}. Make ids unique."
    return [found] if twice else []


def _empty_splits(clips: Sequence[Clip]) -> list[str]:
    filled = {clip.split for clip in clips}
    findings = [
        f"- split '{split}' has no clips. Both train and test need at least one; where there is no val, each "
        "run draws its own from train, by group."
        for split in ("train", "test")
        if split not in filled
    ]
    if filled == {"train", "test"} and not groups_to_move(clips, 0.5, seed=0):
        findings.append(f"- {NO_VALIDATION}")
    return findings


def _one_label(clips: Sequence[Clip]) -> list[str]:
    """Where there is nothing to tell apart: every model would be right on every clip."""
    labels = list({clip.label for clip in clips})
    if len(clips) == 1 or len(labels) > 1 or labels == [()]:  # unlabelled clips are a finding of their own
        return []
    return [
        f"- all {counted(len(clips), 'clip')} have the label {labels[0]!r}, so there is nothing to learn or "
        "to compare. Give clips of at least two labels."
    ]


def _untrained_classes(clips: Sequence[Clip]) -> list[str]:
    trained = {name for clip in clips if clip.split == "train" for name in classes_of(clip.label)}
    strange = sorted({name for clip in clips for name in classes_of(clip.label)} - trained, key=natural_key)
    if not strange or not trained:
        return []
    return [f"- {len(strange)} class(es) stand in val or test and not in train: {shown(strange)}."]


def _shared(kind: str, keyed: Iterable[tuple[str, Clip]], advice: str) -> list[str]:
    """One finding that names what stands in more than one split, with one clip of each such split."""
    seen: dict[str, dict[Split, Clip]] = defaultdict(dict)
    for key, clip in keyed:
        seen[key].setdefault(clip.split, clip)
    culprits = [
        f"{key} in " + " and ".join(f"{split} ({clip.id})" for split, clip in places.items())
        for key, places in seen.items()
        if len(places) > 1
    ]
    if not culprits:
        return []
    return [f"- {len(culprits)} times the same {kind} in two splits: {shown(culprits, '; ')}. {advice}"]
