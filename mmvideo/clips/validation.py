"""The validation split that a run draws from train, where the data set ships none.

Each seed draws its own, so that intervals over seeds hold what the choice of validation clips changes. Clips
of one group stay together, and so do groups that share a file or features: a copy in both would leak.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmvideo.clips.audit import carve_validation, feature_digests, file_digests
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.seeding import derive_seed


def with_validation(manifest: Manifest, share: float, seed: int, tied: Mapping[str, str]) -> Manifest:
    """The manifest with about `share` of each class's training clips in `val` (see `carve_validation`).

    Args:
        seed: the run's.
        tied: from `tied_groups`.

    Raises:
        InputError: there is a val split, or each class has its training clips in one group.
    """
    as_one = [
        clip.model_copy(update={"group": tied[clip.group]}) if clip.group in tied else clip
        for clip in manifest.clips
    ]
    carved = carve_validation(as_one, share, derive_seed(seed, "validation"))
    clips = tuple(
        clip.model_copy(update={"split": "val"}) if part.split == "val" else clip
        for clip, part in zip(manifest.clips, carved, strict=True)
    )
    return Manifest(clips, manifest.root)


def tied_groups(manifest: Manifest, hashes: ContentHashes) -> dict[str, str]:
    """Groups that share the content of a file or of features with another one, each with the group that
    stands for all of these."""
    parents: dict[str, str] = {}

    def root(group: str) -> str:
        while (parent := parents.get(group, group)) != group:
            group = parent
        return group

    holders: dict[tuple[str, ...], str] = {}
    contents: list[tuple[Clip, tuple[str, ...]]] = [
        (clip, (digest,)) for clip, files in file_digests(manifest, hashes) for digest in files.values()
    ]
    contents += [(clip, (m, digest, steps)) for clip, m, digest, steps in feature_digests(manifest, hashes)]
    for clip, content in contents:
        first, other = root(holders.setdefault(content, clip.group)), root(clip.group)
        if first != other:
            parents[other] = parents.setdefault(first, first)
    return {group: root(group) for group in parents}
