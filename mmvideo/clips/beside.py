"""Which subtitles belong to a medium by their names, in which language.

`talk.srt`, `talk.en.vtt`, `talk.en-US.vtt` and `talk.en.auto.vtt` belong to `talk.mp4`. Names that differ in
their Unicode form alone are one name.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mmvideo.clips.extensions import AUDIO, SUBTITLES, VIDEO
from mmvideo.errors import InputError

_KIND = r"(?:\.(?:auto|asr|a|orig|forced|sdh|cc|hi|default))*"
TAGGED = re.compile(rf"(.+?){_KIND}\.([a-z]{{2,3}}(?:[-_][a-z0-9]{{1,8}})*){_KIND}", re.IGNORECASE)
AUTOMATIC = re.compile(r"[.-](auto|asr|a|orig)\b", re.IGNORECASE)
DOWNLOAD_PART = re.compile(r"(.+)\.f(?:\d[\w-]*|(?:hls|dash|http|audio|video)[\w-]*)")
"""How downloaders name picture and sound that are not merged yet: `talk.f137.mp4`, `talk.f140.m4a`."""


class Caption(NamedTuple):
    """A subtitle file and its language as its name says it; empty: it does not."""

    path: Path
    language: str

    @property
    def spoken(self) -> str:
        """The language without region and script."""
        return re.split(r"[-_]", self.language.lower())[0]


def composed(name: str) -> str:
    """The name in the one Unicode form (NFC) in which names are compared."""
    return unicodedata.normalize("NFC", name)


def captions(
    files: Iterable[Path], stems: Iterable[str]
) -> tuple[Mapping[str, Sequence[Caption]], Sequence[Path]]:
    """The subtitle files among `files` by the stem of their medium, and those that belong to none."""
    known = set(stems)
    found: dict[str, list[Caption]] = defaultdict(list)
    alone: list[Path] = []
    for path in files:
        if path.suffix.lower() not in SUBTITLES:
            continue
        stem = composed(path.stem)
        tagged = TAGGED.fullmatch(stem)
        if stem in known:
            found[stem].append(Caption(path, ""))
        elif tagged and tagged[1] in known:
            found[tagged[1]].append(Caption(path, tagged[2]))
        else:
            alone.append(path)
    return found, alone


def chosen(found: Sequence[Caption], language: str | None) -> Caption | None:
    """The one to read: in the language asked for, else in none that its name says, else in the only one.

    Of several in one language, those that people made come before automatic ones, then .srt before .vtt
    before .ass before .ssa.

    Raises:
        InputError: they are in several languages, and none was asked for.
    """
    wanted = "" if language is None else re.split(r"[-_]", language.lower())[0]
    for spoken in dict.fromkeys((wanted, "")):
        fitting = [caption for caption in found if caption.spoken == spoken]
        if fitting:
            return min(fitting, key=lambda caption: _rank(caption, language))
    languages = sorted({caption.spoken for caption in found})
    if language is not None or not languages:
        return None
    if len(languages) > 1:
        names = ", ".join(sorted(caption.path.name for caption in found))
        raise InputError(
            f"{found[0].path.parent}: {names} are subtitles of one clip "
            f"in several languages ({', '.join(languages)}). Say which, such as --language {languages[0]} "
            "where the command has it, or leave one beside the clip."
        )
    return min(found, key=lambda caption: _rank(caption, language))


def _rank(caption: Caption, language: str | None) -> tuple[bool, bool, int, str]:
    other = language is not None and caption.language.lower() != language.lower()
    automatic = AUTOMATIC.search(caption.path.stem) is not None
    return other, automatic, SUBTITLES.index(caption.path.suffix.lower()), caption.path.name


def subtitles_beside(media: Path, language: str | None = None) -> str | None:
    """The subtitle file that belongs to the medium by its name, in the same folder.

    None too where the medium itself is absent: such a clip is counted as missing, and not looked at further.

    Raises:
        InputError: there are several languages, and none was asked for.
    """
    if not os.path.isfile(media):
        return None
    folder = media.parent
    beside = _captions_in(folder, folder.stat().st_mtime_ns)
    stem = composed(media.stem)
    part = DOWNLOAD_PART.fullmatch(stem)
    found = chosen(beside.get(stem) or beside.get(part[1] if part else "", ()), language)
    return None if found is None else str(found.path)


@lru_cache(maxsize=256)
def _captions_in(folder: Path, changed: int) -> Mapping[str, Sequence[Caption]]:
    """As the folder was when it last changed; a data set has thousands of clips in one."""
    files = [path for path in sorted(folder.iterdir()) if path.name[0] != "." and path.is_file()]
    stems = {composed(path.stem) for path in files if path.suffix.lower() in (*VIDEO, *AUDIO)}
    stems |= {part[1] for stem in stems if (part := DOWNLOAD_PART.fullmatch(stem))}
    return captions(files, stems)[0]
