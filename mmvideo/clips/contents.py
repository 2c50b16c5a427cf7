"""What the files of a manifest hold, as digests: clips that share one share what can be learnt of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest, check_files

FeatureDigest = tuple[Clip, str, str, str]
"""A clip, a modality, the digest of its feature file, and the steps within that."""


@dataclass(frozen=True)
class Contents:
    """Each clip, in the manifest's order, with what its files hold."""

    files: Sequence[tuple[Clip, Mapping[str, str]]]
    """Digests of its video and audio files that are not empty."""
    features: Sequence[FeatureDigest]

    @classmethod
    def of(cls, manifest: Manifest, hashes: ContentHashes) -> Contents:
        """Raises InputError if files do not exist."""
        check_files(manifest)
        files: list[tuple[Clip, dict[str, str]]] = []
        features: list[FeatureDigest] = []
        for clip in manifest.clips:
            paths = {"video": manifest.path(clip, "video"), "audio": manifest.path(clip, "audio")}
            filled = {name: path for name, path in paths.items() if path and path.stat().st_size}
            files.append((clip, {name: hashes.sha256(path) for name, path in filled.items()}))
            parts = ((modality, manifest.feature(clip, modality)) for modality in clip.features)
            features += [(clip, name, hashes.sha256(part[0]), part[1]) for name, part in parts if part]
        hashes.save()
        return cls(files, features)

    def copies_in_other_splits(self) -> dict[str, str]:
        """Clips that share a file's content, or a part of a feature file, with an earlier clip of another
        split.

        Returns:
            The clip's id → the earlier one's. Without these clips the audit finds no content in two splits.
        """
        contents = {clip.id: list(files.values()) for clip, files in self.files}
        for clip, modality, digest, steps in self.features:
            contents[clip.id].append(f"{modality} {digest}#{steps}")
        holder: dict[str, Clip] = {}
        dropped: dict[str, str] = {}
        for clip, _ in self.files:
            earlier = [holder[content] for content in contents[clip.id] if content in holder]
            if elsewhere := [other for other in earlier if other.split != clip.split]:
                dropped[clip.id] = elsewhere[0].id
                continue
            for content in contents[clip.id]:
                holder.setdefault(content, clip)
        return dropped
