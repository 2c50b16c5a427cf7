"""Finding clips below a folder: through links, whatever their names; what is not used is named."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, NoReturn

from mmvideo.clips.beside import DOWNLOAD_PART, composed
from mmvideo.clips.extensions import AUDIO, UNFINISHED, VIDEO
from mmvideo.clips.manifest import shown
from mmvideo.errors import InputError

Told = defaultdict[str, list[Path]]
"""What → the files it is true of."""
UNNAMEABLE = "names are not UTF-8 or have control characters, so that no manifest can hold them; rename them"
UNREACHED = "links or folders lead nowhere, in a circle, or cannot be read"
FAN = "folders are reached by more ways than are followed, through links"
MOST_WAYS = 100
"""How often one folder is gone through: ten folders with links to one another make millions of ways."""
PARTIAL = "files are unfinished downloads"
STRANGE = "names are neither files nor folders"
HIDDEN = "names begin with a dot and are hidden"
MERGED = "files are parts of a download that stands beside them in one piece"
PREVIEW = "pictures stand beside a video of the same name"
LONE_PART = "files look like one part of a download, and its other part is not beside them; each is a clip"
UNUSED = (UNNAMEABLE, UNREACHED, FAN, PARTIAL, STRANGE)
"""What may be clips that were meant to be there."""


class Media(NamedTuple):
    """The picture and sound of one clip; at least one of them."""

    video: Path | None
    audio: Path | None


def readable(name: str | Path) -> str:
    """The name as it can be printed, whatever its bytes are."""
    text = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    return "".join(c if unicodedata.category(c) != "Cc" else repr(c)[1:-1] for c in text)


def files_below(folder: Path, told: Told) -> list[Path]:
    """Every file below the folder in order of paths, through links; what cannot be a clip is told."""
    return list(_below(folder, frozenset(), Counter(), told))


def _below(
    folder: Path, above: frozenset[tuple[int, int]], visits: Counter[tuple[int, int]], told: Told
) -> Iterator[Path]:
    try:
        about = folder.stat()
        names = sorted(os.listdir(folder))
    except OSError:
        about, names = None, []
    identity = (about.st_dev, about.st_ino) if about else None
    if identity is None or identity in above:
        told[UNREACHED].append(folder)
        return
    visits[identity] += 1
    if visits[identity] > MOST_WAYS:
        told[FAN].append(folder)
        return
    for path in map(folder.joinpath, names):
        try:
            mode = path.stat().st_mode
        except OSError:
            mode = 0
        if why := _unusable(path.name, mode):
            told[why].append(path)
        elif stat.S_ISDIR(mode):
            yield from _below(path, above | {identity}, visits, told)
        else:
            yield path


def _unusable(name: str, mode: int) -> str | None:
    if name.startswith("."):
        return HIDDEN
    if not mode:
        return UNREACHED
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return UNNAMEABLE
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return STRANGE
    stem, suffix = os.path.splitext(name.lower())
    return PARTIAL if suffix in UNFINISHED or stem.endswith(".temp") or ".part-frag" in name.lower() else None


def on_disk(path: Path) -> Path | None:
    """The file; if need be the one whose path differs in its Unicode form (NFC, NFD) alone."""
    if path.is_file() or str(path).isascii():
        return path if path.is_file() else None
    places = [Path(path.anchor)]
    for part in path.parts[1:]:
        if part.isascii():
            places = [place / part for place in places if (place / part).exists()]
        else:
            folders = [(place, place.stat().st_mtime_ns) for place in places if place.is_dir()]
            places = [
                place / name
                for place, changed in folders
                for name in _names(place, changed).get(composed(part), ())
            ]
    found = [place for place in places if place.is_file()]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=256)
def _names(folder: Path, changed: int) -> Mapping[str, Sequence[str]]:
    """The names in a folder, as it was when it last changed, by their composed form."""
    names: dict[str, list[str]] = defaultdict(list)
    for name in os.listdir(folder):
        names[composed(name)].append(name)
    return names


def media_by_stem(files: Iterable[Path], told: Told) -> dict[str, Media]:
    """The media among the files of one folder by their stem, picture and sound of one clip together.

    A sound file beside a video is its sound. The two parts that a downloader did not merge
    (`talk.f137.mp4`, `talk.f140.m4a`) are one clip, `talk`.

    Raises:
        InputError: several videos, or several sound files, have one stem.
    """
    media: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if path.suffix.lower() in (*VIDEO, *AUDIO):
            media[composed(path.stem)].append(path)
    joined = _joined(media, told)
    clips = {stem: _one_clip(paths, told) for stem, paths in media.items()}
    for stem, pair in joined.items():
        if stem in clips:
            _refuse([*filter(None, clips[stem]), *pair])
        clips[stem] = Media(*pair)
    return clips


def _joined(media: dict[str, list[Path]], told: Told) -> dict[str, tuple[Path, Path]]:
    """Picture and sound by the stem they share; taken out of `media`."""
    parts: dict[str, list[str]] = defaultdict(list)
    for stem in media:
        if found := DOWNLOAD_PART.fullmatch(stem):
            parts[found[1]].append(stem)
    joined = {}
    for whole, stems in parts.items():
        paths = [path for stem in stems for path in media[stem]]
        pair = _pair(paths)
        if pair is None:
            told[LONE_PART] += paths
            continue
        for stem in stems:
            del media[stem]
        if any(path.suffix.lower() in VIDEO for path in media.get(whole, ())):
            told[MERGED] += pair
        else:
            joined[whole] = pair
    return joined


def _pair(paths: Sequence[Path]) -> tuple[Path, Path] | None:
    """Picture and sound, if that is what the files are; a .webm or .mp4 may hold either."""
    if len(paths) != 2:
        return None
    sounds = [path for path in paths if _sound_only(path)]
    pictures = [path for path in paths if path not in sounds]
    return (pictures[0], sounds[0]) if len(sounds) == len(pictures) == 1 else None


def _sound_only(path: Path) -> bool:
    from mmvideo.store.decode import DecodeError, probe

    if path.suffix.lower() in AUDIO:
        return True
    try:
        info = probe(path)
    except DecodeError:
        return False
    return info.has_audio and not info.has_video


def _one_clip(paths: Sequence[Path], told: Told) -> Media:
    sounds = [path for path in paths if path.suffix.lower() in AUDIO]
    videos = [path for path in paths if path not in sounds]
    if len(videos) > 1:
        previews = [path for path in videos if path.suffix.lower() == ".gif"]
        told[PREVIEW] += previews
        videos = [path for path in videos if path not in previews] or videos
    if len(videos) > 1 or len(sounds) > 1:
        _refuse(paths)
    return Media(next(iter(videos), None), next(iter(sounds), None))


def _refuse(paths: Iterable[Path]) -> NoReturn:
    paths = list(paths)
    forms = {unicodedata.normalize("NFC", str(path)) for path in paths}
    why = " but for their Unicode normalisation (NFC, NFD), which no one sees" if len(forms) == 1 else ""
    raise InputError(f"{shown([readable(path) for path in paths])} have one name{why}. Rename all but one.")
