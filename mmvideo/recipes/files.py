"""What several recipes need: files beside a clip, splits by group, repeats."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from mmvideo.clips import extensions
from mmvideo.clips.manifest import Clip
from mmvideo.clips.validation import carve_validation
from mmvideo.errors import InputError
from mmvideo.recipes.discovery import files_below
from mmvideo.recipes.tables import read_json
from mmvideo.vocabulary import Split

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def videos_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Every video below a folder by its name without suffix; several of one name in sorted order.

    For data sets whose clips are named by id and lie in whichever folders a downloader chose.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(folder, defaultdict(list)):
        if path.suffix.lower() in extensions.VIDEO:
            found[path.stem].append(path)
    return dict(found)


def metadata_beside(media: Path) -> dict[str, str]:
    """The texts in the .json file with the medium's stem; lists of texts are joined by commas.

    Raises:
        InputError: the file is no JSON object of texts, numbers and lists of them.
    """
    path = _beside(media, ".json")
    if path is None:
        return {}
    record = read_json(Path(path), "")
    if not isinstance(record, dict):
        raise InputError(f'{path} holds no JSON object. Expected {{"title": "…", "tags": ["…"]}}.')
    texts: dict[str, str] = {}
    for key, value in record.items():
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | bool) for part in parts):  # numbers are texts, as they are written
            raise InputError(f"{path}: '{key}' is neither a text nor a list of texts. Write it as one text.")
        texts[key] = ", ".join(str(part) for part in parts)
    return texts


def _beside(media: Path, suffix: str) -> str | None:
    """The file with the medium's stem and this suffix, in small letters or in capitals."""
    stem = os.path.splitext(media)[0]
    return next((path for path in (stem + suffix, stem + suffix.upper()) if os.path.isfile(path)), None)


def safe_name(text: str) -> str:
    """The text with everything but letters, digits, `-` and `_` replaced by `_`: fit for an id."""
    return re.sub(r"[^\w-]+", "_", text)


def split_by_group(
    clips: Sequence[Clip], *, test_share: float, validation_share: float | None, seed: int
) -> list[Clip]:
    """All clips divided into train, val and test, whole groups at a time and class by class.

    For data sets without any official split. Shares are of each class's clips; without a share for
    validation there is no val, and each run draws its own.

    Raises:
        InputError: shares that leave nothing to train on, or too few groups.
    """
    if not 0 < test_share + (validation_share or 0) < 1:
        raise InputError(
            f"Shares of {test_share} for test and {validation_share or 0} for validation leave nothing "
            "for train; together they must lie between 0 and 1."
        )
    train = [clip.model_copy(update={"split": "train"}) for clip in clips]
    try:
        test = _carved(train, test_share, seed)
        rest = [clip for clip in train if clip.id not in test]
        val = set() if validation_share is None else _carved(rest, validation_share / (1 - test_share), seed)
    except InputError as error:
        groups = len({clip.group for clip in clips})
        raise InputError(
            f"{len(clips):,} clips in {groups:,} groups cannot be divided into train, val and test: {error}"
        ) from error

    def part(clip: Clip) -> Split:
        return "test" if clip.id in test else "val" if clip.id in val else "train"

    return [clip.model_copy(update={"split": part(clip)}) for clip in clips]


def _carved(clips: Sequence[Clip], share: float, seed: int) -> set[str]:
    """Ids of about this share of each class's clips, in whole groups."""
    return {clip.id for clip in carve_validation(clips, share, seed) if clip.split == "val"}


def overlapping(clips: Sequence[Clip]) -> list[str]:
    """Ids of clips in train or val whose group also stands in test, and of those in train if it is in val.

    For official lists that divide a source video between splits: set these aside; test stays as published.
    """
    test = {clip.group for clip in clips if clip.split == "test"}
    val = {clip.group for clip in clips if clip.split == "val"}
    taken: dict[Split, set[str]] = {"train": test | val, "val": test, "test": set()}
    return [clip.id for clip in clips if clip.group in taken[clip.split]]


def split_named(name: str) -> Split | None:
    """The split that people mean by a folder's or a cell's name; None if it is none of the usual ones."""
    return SPLIT_NAMES.get(name.strip().lower())


def number_repeats(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """For lists that name some clips more than once: later ones become `<id>#2`, `<id>#3` …

    Returns:
        All clips, and the new ids, to be set aside.
    """
    seen: Counter[str] = Counter()
    numbered: list[Clip] = []
    repeats: list[str] = []
    for clip in clips:
        seen[clip.id] += 1
        if seen[clip.id] > 1:
            clip = clip.model_copy(update={"id": f"{clip.id}#{seen[clip.id]}"})
            repeats.append(clip.id)
        numbered.append(clip)
    return numbered, repeats
