"""Looking after a store: what is in it, whether it is whole, and what nobody needs any more."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.files import ABANDONED, TEMPORARY, digest_of
from mmvideo.progress import tracked
from mmvideo.store.clip_format import Header, read_header
from mmvideo.store.keys import Source
from mmvideo.store.object_store import SUFFIX, check_object
from mmvideo.vocabulary import presence_pattern

EARLIER = "of an earlier version"
FLOORS = "floors"
"""The folder of what linear models found in the data of studies (see mmvideo.runs.floor)."""


@dataclass(frozen=True)
class Kind:
    """Objects that were made alike, in the words of their settings."""

    settings: str
    count: int
    bytes: int
    patterns: Mapping[str, int]
    """How many have which modalities."""


@dataclass(frozen=True)
class Verification:
    """What reading every object of a store found."""

    sound: int
    unchecked: int
    """Readable, but of a version that stored no checksum."""
    damaged: tuple[Path, ...]
    """Unreadable, changed, or swapped with another."""


@dataclass
class Garbage:
    """What a store holds that no given manifest refers to."""

    kept: int = 0
    unknown: int = 0
    """Kept because they are of a version that did not record what they were made from."""
    unneeded: list[Path] = field(default_factory=list)
    abandoned: list[Path] = field(default_factory=list)
    """Files that a killed process did not finish."""
    bytes: int = 0
    """Size of what is unneeded or abandoned."""


def kinds(root: Path) -> list[Kind]:
    """What a store holds, by the settings it was made with, largest first.

    Raises:
        InputError: there is no store, or a file of it cannot be read.
    """
    sizes: Counter[str] = Counter()
    patterns: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for path in _objects(root):
        header = read_header(path)
        name = _settings(header)
        sizes[name] += path.stat().st_size
        patterns[name][presence_pattern(header.present)] += 1
    found = [Kind(name, patterns[name].total(), size, patterns[name]) for name, size in sizes.most_common()]
    floors = _floors(root)
    size = sum(path.stat().st_size for path in floors)
    return [*found, *([Kind("floors of studies", len(floors), size, {})] if floors else [])]


def verify(root: Path, *, delete: bool = False, progress: bool = False) -> Verification:
    """Read every object and floor, and compare it with its name and its checksum.

    Args:
        delete: remove what is damaged; the next build decodes it again.

    Raises:
        InputError: there is no store.
    """
    paths = list(_objects(root))
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in tracked(paths, len(paths), "Verifying", progress):
        found[check_object(path)].append(path)
    for path in _floors(root):
        found["sound" if _clips_of_floor(path) else "damaged"].append(path)
    damaged = tuple(found["damaged"])
    if delete and damaged:
        _delete(damaged)
    return Verification(len(found["sound"]), len(found["unchecked"]), damaged)


def collect_garbage(
    root: Path, manifests: Sequence[Manifest], hashes: ContentHashes, *, delete: bool = False
) -> Garbage:
    """Find what was made from no clip of the manifests, whatever the settings, and unfinished files.

    A floor belongs to a manifest that lists all clips it was tested on.

    Do not delete while another process builds the store or trains from it for a manifest that is not given.

    Raises:
        InputError: no manifest, or to delete for manifests that no file of the store belongs to; there is no
            store, one of its files cannot be read, or a file of a manifest is missing
            (what was made from it cannot be told from garbage).
    """
    if not manifests or not any(given.clips for given in manifests):
        raise InputError(
            "Name the manifests whose clips are to stay, with --manifest; without one, everything would go."
        )
    needed = {_source(given, clip, hashes) for given in manifests for clip in given.clips}
    hashes.save()
    ids = [{clip.id for clip in given.clips} for given in manifests]
    garbage = Garbage()
    for path in _objects(root):
        origin = read_header(path).origin
        if origin is None:
            garbage.unknown += 1
        elif origin["source"] in needed:
            garbage.kept += 1
        else:
            garbage.unneeded.append(path)
    old = time.time() - ABANDONED
    garbage.abandoned = [path for path in root.glob(f"objects/*/{TEMPORARY}*") if path.stat().st_mtime < old]
    garbage.bytes = sum(path.stat().st_size for path in [*garbage.unneeded, *garbage.abandoned])
    floors = {path: _clips_of_floor(path) for path in _floors(root)}
    unneeded = [path for path, clips in floors.items() if not any(clips and clips <= of for of in ids)]
    if delete and garbage.unneeded and not garbage.kept:
        raise InputError(
            f"No file of the store {root} belongs to these manifests, so all {len(garbage.unneeded):,} that "
            "are known would be deleted. Give the manifest and the store that go together; to delete a whole "
            "store, delete its folder."
        )
    garbage.kept += len(floors) - len(unneeded)
    garbage.unneeded += unneeded
    garbage.bytes += sum(path.stat().st_size for path in unneeded)
    if delete:
        _delete([*garbage.unneeded, *garbage.abandoned])
    return garbage


def _source(manifest: Manifest, clip: Clip, hashes: ContentHashes) -> str:
    try:
        return Source.of(clip, manifest, hashes).digest
    except OSError as error:
        raise InputError(
            f"{clip.id}: {error.filename}: {error.strerror}. Without the file, what was made from it cannot "
            "be told from garbage; put it back, or take the clip out of the manifest."
        ) from error


def _objects(root: Path) -> Iterator[Path]:
    if not (root / "objects").is_dir():
        raise InputError(f"There is no store at {root}. Name its folder with --root (data.store of a run).")
    return iter(sorted(root.glob(f"objects/*/[!{TEMPORARY}]*{SUFFIX}")))


def _floors(root: Path) -> list[Path]:
    return sorted((root / FLOORS).glob(f"[!{TEMPORARY}]*.json"))


def _clips_of_floor(path: Path) -> frozenset[str]:
    """The ids of the test clips that a floor was made for; none where it is not what was written."""
    try:
        record = json.loads(path.read_bytes())
        seal = record.pop("seal")
        return frozenset(record["clips"]) if seal == digest_of(record) else frozenset()
    except (ValueError, TypeError, AttributeError, KeyError):
        return frozenset()


def _settings(header: Header) -> str:
    if header.origin is None:
        return EARLIER
    return ", ".join(f"{name} {value}" for name, value in header.origin["settings"].items())


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()
