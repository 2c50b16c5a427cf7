"""Any folder of clips: one folder per class, with or without train, val and test folders above.

mmvideo prepare folder --source ~/clips --out data/clips --group '(speaker\\d+)_' --check
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmvideo.clips.extensions import AUDIO, SUBTITLES, VIDEO
from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import (
    CarvedOptions,
    Listing,
    Recipe,
    main,
    metadata_beside,
    split_by_group,
    split_named,
    subtitles_beside,
)
from mmvideo.vocabulary import Split

BESIDE = (*SUBTITLES, ".json")


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    group: str | None = None
    """Regular expression searched for in a clip's path below its class folder; its first pair of parentheses
    (or the whole match) names what must not be in two splits: speaker, source video. None: each file is a
    group of its own, which is right only if no two files resemble each other."""
    test_share: float = 0.2
    """Where there are no split folders: share of each class's clips to test on."""

    def folder(self, name: str) -> Path:
        """data/<name of the source folder>, unless told otherwise."""
        return self.out or Path("data") / self.source.expanduser().absolute().name


def listing(options: Options) -> Listing:
    """Each video or sound file below a class folder, with what lies beside it under the same name."""
    folders = [path for path in sorted(options.source.iterdir()) if path.is_dir() and path.name[0] != "."]
    splits = {path: split_named(path.name) for path in folders}
    notes: dict[str, list[str]] = defaultdict(list)
    clips: list[Clip] = []
    if any(splits.values()):
        for folder, split in splits.items():
            if split is None:
                raise InputError(
                    f"{folder} is no split folder, but others in {options.source} are. Call it train, val or "
                    "test, or have class folders only."
                )
            clips += _classes(_inner(folder), split, options, notes)
        _need_train_and_test(clips, options.source)
    else:
        clips = _classes(folders, "train", options, notes)
        if clips:
            shares = {"test_share": options.test_share, "validation_share": options.validation_share}
            clips = split_by_group(clips, **shares, seed=options.seed)
    outside = [path.name for path in options.source.iterdir() if path.is_file() and path.name[0] != "."]
    notes["files lie outside of class folders"] = sorted(outside)
    return Listing(clips, notes=notes)


def _inner(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]


def _classes(
    folders: Iterable[Path], split: Split, options: Options, notes: dict[str, list[str]]
) -> list[Clip]:
    """All clips of these class folders, in the order of their paths."""
    clips: list[Clip] = []
    for folder in folders:
        stems: dict[Path, list[Path]] = defaultdict(list)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            stems[path.with_suffix("")].append(path)
        for stem, files in stems.items():
            name = stem.relative_to(options.source).as_posix()
            videos = [path for path in files if path.suffix.lower() in VIDEO]
            sounds = [path for path in files if path.suffix.lower() in AUDIO]
            if len(videos) > 1 or len(sounds) > 1:
                raise InputError(f"{shown([str(path) for path in files])} have one name. Rename all but one.")
            known = {*VIDEO, *AUDIO, *BESIDE}
            strange = [path for path in files if path.suffix.lower() not in known]
            notes["files are of a kind that is not read"] += [
                path.relative_to(options.source).as_posix() for path in strange
            ]
            if videos or sounds:
                place = stem.relative_to(folder).as_posix()
                clips.append(_clip(name, folder.name, split, [*videos, *sounds], place, options))
            elif len(files) > len(strange):
                notes["names have subtitles or metadata and neither video nor sound"].append(name)
    return clips


def _clip(name: str, label: str, split: Split, media: Sequence[Path], place: str, options: Options) -> Clip:
    video = next((path for path in media if path.suffix.lower() in VIDEO), None)
    audio = next((path for path in media if path.suffix.lower() in AUDIO), None)
    return Clip(
        id=name,
        label=label,
        group=_group(name, place, options.group),
        split=split,
        video=str(video) if video else None,
        audio=str(audio) if audio else None,
        subtitles=subtitles_beside(media[0]),
        metadata=metadata_beside(media[0]),
    )


def _group(name: str, place: str, pattern: str | None) -> str:
    if pattern is None:
        return name
    try:
        match = re.search(pattern, place)
    except re.error as error:
        raise InputError(f"--group {pattern!r} is no regular expression: {error}.") from error
    if match is None:
        raise InputError(
            f"--group {pattern!r} is not found in '{place}', the path of {name} in its class folder."
        )
    return str(match[1] if match.re.groups else match[0])


def _need_train_and_test(clips: Sequence[Clip], source: Path) -> None:
    lacking = [split for split in ("train", "test") if not any(clip.split == split for clip in clips)]
    if lacking:
        raise InputError(
            f"{source} has split folders, but no clips for {' and '.join(lacking)}. Add them, or remove the "
            "level of split folders to have the clips divided by group."
        )


RECIPE = Recipe(
    name="folder",
    title="Folder of clips",
    options=Options,
    listing=listing,
)

if __name__ == "__main__":
    main(RECIPE)
