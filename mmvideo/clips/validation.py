"""What a run draws from the training clips: its validation split, where the data set ships none, and the
share that it learns from.

Each seed draws its own, so that intervals over seeds hold what the choice of clips changes. Clips of one
group stay together, and so do groups that share a file or features: a copy in both would leak.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mmvideo.clips.contents import Contents
from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import Clip, Manifest, natural_key
from mmvideo.errors import InputError
from mmvideo.seeding import derive_seed

LOOK_AHEAD = 16
"""Groups among which the next one of a share is chosen."""
NO_VALIDATION = "No validation split can be carved: each class has its training clips in one group."


def with_validation(manifest: Manifest, share: float, seed: int, tied: Mapping[str, str]) -> Manifest:
    """The manifest with about `share` of each class's training clips in `val` (see `carve_validation`).

    Args:
        seed: the run's.
        tied: from `tied_groups`.

    Raises:
        InputError: there is a val split, or each class has its training clips in one group.
    """
    carved = carve_validation(_as_one(manifest, tied), share, derive_seed(seed, "validation"))
    clips = tuple(
        clip.model_copy(update={"split": "val"}) if part.split == "val" else clip
        for clip, part in zip(manifest.clips, carved, strict=True)
    )
    return Manifest(clips, manifest.root)


def with_train_share(manifest: Manifest, share: float, seed: int, tied: Mapping[str, str]) -> Manifest:
    """The manifest with about `share` of the training clips, stratified by class, and all others as they are.

    Groups stand in an order that depends on names, labels and seed alone, any beginning of which has classes
    in about the proportions of all; the share is its beginning, and the first group of a class that is not in
    it. So each class has a group, and all of a smaller share are in a larger one.

    Args:
        share: above 0, up to 1.
        tied: from `tied_groups`; such groups are taken together.
    """
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    as_one = _as_one(manifest, tied)
    for clip in as_one:
        if clip.split == "train":
            groups[clip.group].update(classes_of(clip.label) or ("",))
    order = _stratified(groups, derive_seed(seed, "train_share"))
    total = sum(group.total() for group in groups.values())
    taken, before, found = set[str](), 0, set[str]()
    for group in order:
        if before + groups[group].total() / 2 <= share * total or groups[group].keys() - found:
            taken.add(group)
        before += groups[group].total()
        found |= groups[group].keys()
    kept = (
        clip
        for clip, part in zip(manifest.clips, as_one, strict=True)
        if part.split != "train" or part.group in taken
    )
    return Manifest(tuple(kept), manifest.root)


def _stratified(groups: Mapping[str, Counter[str]], seed: int) -> list[str]:
    """The groups in a random order, next of each `LOOK_AHEAD` the one that keeps classes in proportion."""
    rest = sorted(groups, key=natural_key)
    random.Random(seed).shuffle(rest)
    total: Counter[str] = sum(groups.values(), Counter())
    taken, order = Counter[str](), list[str]()

    def off(group: str) -> float:
        share = (taken.total() + groups[group].total()) / total.total()
        return sum(abs(taken[label] + groups[group][label] - share * total[label]) for label in total)

    while rest:
        order.append(min(rest[:LOOK_AHEAD], key=off))
        rest.remove(order[-1])
        taken.update(groups[order[-1]])
    return order


def _as_one(manifest: Manifest, tied: Mapping[str, str]) -> list[Clip]:
    """The clips, with one group where groups are tied."""
    return [
        clip.model_copy(update={"group": tied[clip.group]}) if clip.group in tied else clip
        for clip in manifest.clips
    ]


def tied_groups(contents: Contents) -> dict[str, str]:
    """Groups that share the content of a file or of features with another one, each with the group that
    stands for all of these."""
    parents: dict[str, str] = {}

    def root(group: str) -> str:
        while (parent := parents.get(group, group)) != group:
            group = parent
        return group

    holders: dict[tuple[str, ...], str] = {}
    files = ((clip, (digest,)) for clip, digests in contents.files for digest in digests.values())
    features = ((clip, (m, digest, steps)) for clip, m, digest, steps in contents.features)
    for clip, content in (*files, *features):
        first, other = root(holders.setdefault(content, clip.group)), root(clip.group)
        if first != other:
            parents[other] = parents.setdefault(first, first)
    return {group: root(group) for group in parents}


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
    moved = groups_to_move(clips, share, seed)
    if not moved:
        raise InputError(NO_VALIDATION)
    return [
        clip.model_copy(update={"split": "val"}) if clip.split == "train" and clip.group in moved else clip
        for clip in clips
    ]


def groups_to_move(clips: Sequence[Clip], share: float, seed: int) -> set[str]:
    """The groups that `carve_validation` moves; empty if it cannot move any."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)  # training clips of each class, by group
    for clip in clips:
        if clip.split == "train":
            groups[clip.group].update(classes_of(clip.label) or ("",))
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
    for label in sorted(total.keys() - val.keys(), key=natural_key):
        if val[label]:  # by a group that was moved for another label
            continue
        candidates = [g for g in order if g not in moved and groups[g][label] and keeps_train(g)]
        if candidates:
            move(min(candidates, key=lambda g: groups[g].total()))
    return moved
