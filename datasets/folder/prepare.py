"""Any folder of clips: one folder per class, with or without train, val and test folders above.

mmvideo prepare folder --source ~/clips --out data/clips --group '(speaker\\d+)_' --check
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmvideo.clips.beside import captions, chosen, composed
from mmvideo.clips.extensions import AUDIO, OTHER_SUBTITLES, SUBTITLES, VIDEO
from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import (
    CarvedOptions,
    Listing,
    Recipe,
    main,
    metadata_beside,
    split_by_group,
    split_named,
)
from mmvideo.recipes.discovery import UNUSED, Told, files_below, media_by_stem, readable
from mmvideo.vocabulary import Split

OUTSIDE = "files lie outside of class folders"
MEDIA_OUTSIDE = "videos or sound files lie outside of class folders"
NOT_READ = "files are of a kind that is not read"
CAPTIONS_NOT_READ = f"subtitles are of a kind that is not read; convert them to one of {', '.join(SUBTITLES)}"
ALONE = "subtitles or metadata lie beside no video or sound file of their name"
OTHER_CAPTIONS = "subtitles lie beside a clip that reads another file, or in another language"
SECOND_NAMES = "files are a clip of the same class and split already, under another name"
SHARED = "files are clips of several classes or splits, through links; they are one group"
NO_CLIPS = "class folders hold no video or sound file"
GROUPS_ABOVE = "folder names stand in several class folders; if these are the classes, say --level 2"


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    group: str | None = None
    """Regular expression searched for in a clip's path below its class folder (and in the names of folders
    between split and class); its first pair of parentheses (or the whole match) names what must not be in two
    splits: speaker, source video. None: each file is a group of its own, which is right only if no two files
    resemble each other."""
    level: int = 1
    """How deep the class folders lie: 2 for speaker1/happy/x.mp4. The folders above are groups, unless
    --group says otherwise."""
    language: str | None = None
    """Of subtitles in several languages (x.en.vtt, x.de.vtt) those to read, such as en."""
    test_share: float = 0.2
    """Where there are no split folders: share of each class's clips to test on."""

    def folder(self, name: str) -> Path:
        """data/<name of the source folder>, unless told otherwise."""
        return self.out or Path("data") / self.source.expanduser().absolute().name


@dataclass(frozen=True)
class Place:
    """Where a clip lies: its folder's path below the source, in the parts that mean something."""

    split: Split | None
    above: tuple[str, ...]
    label: str
    below: tuple[str, ...]


def listing(options: Options) -> Listing:
    """Each video or sound file below a class folder, with what lies beside it under the same name."""
    if options.level < 1:
        raise InputError(f"--level {options.level} is none: 1 is the folders in the source, 2 those in them.")
    told: Told = defaultdict(list)
    files = files_below(options.source, told)
    divided = _divided(options.source)
    depth = options.level + divided
    folders: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in files:
        parts = _parts(path.parent, options)
        if len(parts) >= depth:
            folders[parts].append(path)
        else:
            told[MEDIA_OUTSIDE if path.suffix.lower() in (*VIDEO, *AUDIO) else OUTSIDE].append(path)
    clips: list[Clip] = []
    for parts, inside in folders.items():
        split = split_named(parts[0]) if divided else None
        place = Place(split, parts[divided : depth - 1], parts[depth - 1], parts[depth:])
        clips += _in_folder(parts, place, inside, options, told)
    having = {tuple(clip.id.split("/")[:depth]) for clip in clips}
    told[NO_CLIPS] += [
        path for path in _class_folders(options.source, depth) if _parts(path, options) not in having
    ]
    clips = _each_file_once(clips, options, told)
    if divided:
        _need_train_and_test(clips, options.source)
    elif clips:
        test, val = options.test_share, options.validation_share
        clips = split_by_group(clips, test_share=test, validation_share=val, seed=options.seed)
    named = {
        what: [readable(path.relative_to(options.source)) for path in found] for what, found in told.items()
    }
    named[GROUPS_ABOVE] = _groups_above(clips) if depth == 1 else []
    unused = {what: named.pop(what) for what in (*UNUSED, MEDIA_OUTSIDE, NO_CLIPS) if what in named}
    return Listing(clips, notes=named, unused=unused)


def _parts(folder: Path, options: Options) -> tuple[str, ...]:
    return tuple(map(composed, folder.relative_to(options.source).parts))


def _class_folders(source: Path, depth: int) -> list[Path]:
    found = (path for path in sorted(source.glob("/".join("*" * depth))) if path.is_dir())
    return [path for path in found if not any(part[0] == "." for part in path.relative_to(source).parts)]


def _divided(source: Path) -> bool:
    """Whether the source holds split folders. Then all of its folders must be."""
    folders = [path for path in sorted(source.iterdir()) if path.name[0] != "." and path.is_dir()]
    others = [path for path in folders if split_named(path.name) is None]
    if others and len(others) < len(folders):
        raise InputError(
            f"{readable(others[0])} is no split folder, but others in {source} are. Call it train, val or "
            "test, or have class folders only."
        )
    return bool(folders) and not others


def _in_folder(
    parts: Sequence[str], place: Place, files: Sequence[Path], options: Options, told: Told
) -> Iterator[Clip]:
    """The clips of one folder, in the order of their names."""
    media = media_by_stem(files, told)
    subtitles, alone = captions(files, media)
    told[ALONE] += alone
    for path in files:
        suffix = path.suffix.lower()
        if suffix == ".json" and composed(path.stem) not in media:
            told[ALONE].append(path)
        elif suffix in OTHER_SUBTITLES:
            told[CAPTIONS_NOT_READ].append(path)
        elif suffix not in (*VIDEO, *AUDIO, *SUBTITLES, ".json"):
            told[NOT_READ].append(path)
    for stem, (video, audio) in sorted(media.items()):
        name = "/".join((*parts, stem))
        found = subtitles.get(stem, ())
        read = chosen(found, options.language)
        told[OTHER_CAPTIONS] += [caption.path for caption in found if caption is not read]
        described = next(
            (path for path in files if composed(path.name).lower() == f"{stem}.json".lower()), None
        )
        yield Clip(
            id=name,
            label=place.label,
            group=_group(name, "/".join((*place.above, *place.below, stem)), place, options),
            split=place.split or "train",
            video=str(video) if video else None,
            audio=str(audio) if audio else None,
            subtitles=str(read.path) if read else None,
            metadata=metadata_beside(described) if described else {},
        )


def _each_file_once(clips: Iterable[Clip], options: Options, told: Told) -> list[Clip]:
    """Without second names of a file in a class; a file in several classes or splits is one group."""
    first: dict[tuple[int, int], dict[tuple[str, str], Clip]] = defaultdict(dict)
    kept: list[Clip] = []
    for clip in clips:
        path = Path(clip.video or clip.audio or "")
        about = path.stat()
        others = first[about.st_dev, about.st_ino]
        place = (str(clip.label), clip.split)
        if place in others:
            told[SECOND_NAMES].append(path)
            continue
        if others:
            told[SHARED].append(path)
            if options.group is None and options.level == 1:
                clip = clip.model_copy(update={"group": next(iter(others.values())).group})
        others[place] = clip
        kept.append(clip)
    return kept


def _groups_above(clips: Iterable[Clip]) -> list[str]:
    """Names of folders that stand in several class folders, where every clip lies in such a folder."""
    inner: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        below = clip.id.split("/")[1:-1]
        inner[str(clip.label)].add(below[0] if below else "")
    sets = list(inner.values())
    names = set[str]().union(*sets)
    shared = {name for name in names if sum(name in folder for folder in sets) > 1}
    return sorted(shared) if shared == names and "" not in names else []


def _group(name: str, path: str, place: Place, options: Options) -> str:
    if options.group is None:
        return "/".join(place.above) or name
    try:
        match = re.search(options.group, path)
    except re.error as error:
        raise InputError(f"--group {options.group!r} is no regular expression: {error}.") from error
    if match is None:
        raise InputError(f"--group {options.group!r} is not found in '{path}', the path of {name}.")
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
