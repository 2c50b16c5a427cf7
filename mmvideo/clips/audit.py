"""The checks a split has to pass before training, and a validation split where none is shipped."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from statistics import fmean

from mmvideo.clips.feature_files import has_content
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import classes_of, task_of
from mmvideo.clips.manifest import Clip, Manifest, natural_key, shown
from mmvideo.errors import InputError
from mmvideo.seeding import derive_seed
from mmvideo.vocabulary import SPLITS, Split, TaskKind, counted

FeatureDigest = tuple[Clip, str, str, str]
"""A clip, a modality, the digest of its feature file, and the steps within that."""
_LABELS: dict[TaskKind, str] = {
    "single_label": "one class, a string",
    "multi_label": "a list of classes",
    "regression": "a number",
}
NO_VALIDATION = "No validation split can be carved: each class has its training clips in one group."


@dataclass(frozen=True)
class AuditReport:
    """What a clean audit counted."""

    clips: Mapping[Split, int]
    groups: Mapping[Split, int]
    classes: Mapping[str, Mapping[Split, int]]
    """Clips per class and split, classes in natural order; empty for regression."""
    repeated: int
    """Clips whose files and span another clip of the same split has too. Allowed, but worth knowing."""
    values: Mapping[str, Mapping[Split, float]] = field(default_factory=dict)
    """Regression: the labels' mean, least and most per split; else empty."""
    features: Sequence[FeatureDigest] = ()
    """What clips have of precomputed features."""

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
    contents, features = file_digests(manifest, hashes), feature_digests(manifest, hashes)
    findings = [*_foreign_labels(clips, task), *_repeated_ids(clips), *_empty_splits(clips)]
    findings += [*_one_label(clips), *_untrained_classes(clips), *_unlabelled_splits(clips)]
    findings += _shared(
        "group",
        ((clip.group, clip) for clip in clips),
        "Give every group to one split: its clips resemble each other.",
    )
    findings += _shared(
        "file content",
        ((f"sha256 {digest[:12]}…", clip) for clip, files in contents for digest in files.values()),
        "Keep copies of one file in one split; `prepare … --dedupe keep-first` leaves the others out.",
    )
    findings += _shared(
        "features",
        _features(manifest, features),
        "Give each clip its own part of a feature file.",
    )
    if findings:
        raise InputError(f"The splits do not hold ({len(findings)} finding(s)):\n" + "\n".join(findings))
    spans = Counter(
        (clip.split, clip.start, clip.end, *sorted(files.items())) for clip, files in contents if files
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
        values=_values(manifest),
        features=features,
    )


def copies_in_other_splits(manifest: Manifest, hashes: ContentHashes) -> dict[str, str]:
    """Clips that share a file's content, or a part of a feature file, with an earlier clip of another split.

    Returns:
        The clip's id → the earlier one's. Without these clips the audit finds no content in two splits.

    Raises:
        InputError: a file does not exist.
    """
    contents: dict[str, list[str]] = {
        clip.id: list(files.values()) for clip, files in file_digests(manifest, hashes)
    }
    for clip, modality, digest, steps in feature_digests(manifest, hashes):
        contents[clip.id].append(f"{modality} {digest}#{steps}")
    holder: dict[str, Clip] = {}
    dropped: dict[str, str] = {}
    for clip in manifest.clips:
        earlier = [holder[content] for content in contents[clip.id] if content in holder]
        if elsewhere := [other for other in earlier if other.split != clip.split]:
            dropped[clip.id] = elsewhere[0].id
            continue
        for content in contents[clip.id]:
            holder.setdefault(content, clip)
    return dropped


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


def file_digests(manifest: Manifest, hashes: ContentHashes) -> list[tuple[Clip, dict[str, str]]]:
    """Each clip with the digests of its non-empty video and audio files."""
    rows = []
    missing: list[str] = []
    for clip in manifest.clips:
        files: dict[str, str] = {}
        for medium in ("video", "audio"):
            path: Path | None = manifest.path(clip, medium)
            if path is None:
                continue
            if not path.is_file():
                missing.append(f"{clip.id}: {path}")
            elif path.stat().st_size:
                files[medium] = hashes.sha256(path)
        rows.append((clip, files))
    hashes.save()
    if missing:
        raise InputError(f"{len(missing)} files named in the manifest do not exist:\n" + shown(missing, "\n"))
    return rows


def _foreign_labels(clips: Sequence[Clip], task: TaskKind) -> list[str]:
    foreign = [clip for clip in clips if task_of(clip.label) != task]
    if not foreign:
        return []
    kinds = ", ".join(sorted({task_of(clip.label) for clip in foreign}))
    named = shown([f"{clip.id}: {clip.label!r}" for clip in foreign])
    return [
        f"- {len(foreign)} label(s) do not fit data.task '{task}', where a label is {_LABELS[task]}: {named}."
        f" Set data.task to what the labels are for ({kinds}), or correct them."
    ]


def _unlabelled_splits(clips: Sequence[Clip]) -> list[str]:
    labelled = {clip.split for clip in clips if clip.label != ()}
    return [
        f"- no clip of split '{split}' has any label, so nothing can be measured on it."
        for split in SPLITS
        if split not in labelled and any(clip.split == split for clip in clips)
    ]


def feature_digests(manifest: Manifest, hashes: ContentHashes) -> list[FeatureDigest]:
    """For each clip and modality with precomputed features: the file's digest and the steps within it.

    Raises:
        InputError: a file does not exist.
    """
    rows = []
    for clip in manifest.clips:
        for modality in clip.features:
            found = manifest.feature(clip, modality)
            assert found is not None
            path, steps = found
            if not path.is_file():
                raise InputError(f"{clip.id}: there is no file {path} for its {modality} features.")
            rows.append((clip, modality, hashes.sha256(path), steps))
    return rows


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
    return [f"- {len(twice)} id(s) given more than once: {shown(twice)}. Make ids unique."] if twice else []


def _empty_splits(clips: Sequence[Clip]) -> list[str]:
    filled = {clip.split for clip in clips}
    findings = [
        f"- split '{split}' has no clips. Both train and test need at least one; where there is no val, each "
        "run draws its own from train, by group."
        for split in ("train", "test")
        if split not in filled
    ]
    if filled == {"train", "test"} and not _groups_to_move(_train_groups(clips), 0.5, seed=0):
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


def carve_validation(clips: Sequence[Clip], share: float, seed: int) -> list[Clip]:
    """Move whole groups from train to val until about `share` of each class's training clips are there.

    For data sets that ship no validation split. Groups are visited in an order that depends only on their
    names and the seed; one is moved if that brings the classes it holds closer to their share, and never if a
    class would lose its last training clip. A class that got nothing gets its smallest movable group. Clips
    without a class (labels that are numbers or empty lists) count as one class of their own.

    Returns:
        All clips in the given order, some with `split="val"`.

    Raises:
        InputError: there is a val split already, `share` is not between 0 and 1, or no group can be moved.
    """
    if any(clip.split == "val" for clip in clips):
        raise InputError("The clips have a val split already; carving one is for data sets without.")
    if not 0 < share < 1:
        raise InputError(f"The validation share must lie between 0 and 1, both excluded; got {share}.")
    moved = _groups_to_move(_train_groups(clips), share, seed)
    if not moved:
        raise InputError(NO_VALIDATION)
    return [
        clip.model_copy(update={"split": "val"}) if clip.split == "train" and clip.group in moved else clip
        for clip in clips
    ]


def _train_groups(clips: Sequence[Clip]) -> dict[str, Counter[str]]:
    """Training clips of each class, by group."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        if clip.split == "train":
            groups[clip.group].update(classes_of(clip.label) or ("",))
    return groups


def _groups_to_move(groups: Mapping[str, Counter[str]], share: float, seed: int) -> set[str]:
    total: Counter[str] = sum(groups.values(), Counter())
    val: Counter[str] = Counter()
    moved: set[str] = set()

    def keeps_train(group: str) -> bool:
        return all(val[label] + count < total[label] for label, count in groups[group].items())

    def gain(group: str) -> float:
        return sum(
            abs(val[label] - share * total[label]) - abs(val[label] + count - share * total[label])
            for label, count in groups[group].items()
        )

    def move(group: str) -> None:
        moved.add(group)
        val.update(groups[group])

    order = sorted(groups, key=natural_key)
    random.Random(derive_seed(seed, "carve_validation")).shuffle(order)
    for group in order:
        if keeps_train(group) and gain(group) > 0:
            move(group)
    for label in sorted(total, key=natural_key):
        candidates = [g for g in order if g not in moved and groups[g][label] and keeps_train(g)]
        if not val[label] and candidates:
            move(min(candidates, key=lambda g: groups[g].total()))
    return moved
