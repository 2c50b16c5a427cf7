"""Kinetics-400, -600, -700 and -700-2020: human actions on YouTube, listed with time spans.

mmvideo prepare kinetics --source ~/downloads/k400 --edition 400 --out data/kinetics400 --check
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import (
    CarvedOptions,
    Known,
    Listing,
    Recipe,
    main,
    number,
    number_repeats,
    overlapping,
    read_rows,
    subtitles_beside,
    videos_by_stem,
)
from mmvideo.vocabulary import Split

Part = Literal["train", "validate", "test"]
FILE_NAME = re.compile(r"(?:.*[_-])?(train|val|validate|test)\.csv")
COLUMNS = ("label", "youtube_id", "time_start", "time_end")
REPLACED = "replacement"
"""The distribution's folder of clips that replace corrupted ones of the same name."""


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    edition: Literal["400", "600", "700", "700-2020"] = "400"
    """Which edition the lists are of: decides the published number of classes."""
    test: Literal["validate", "test"] = "validate"
    """Which official part is the test split. validate: as most papers report; validation is then carved from
    train. test: the official test part, with the official validation part as validation."""


def listing(options: Options) -> Listing:
    """The clips that the CSV files list, as cut clips or as spans of whole videos; groups are videos."""
    files = _csv_files(options.source)
    parts: dict[Part, Split] = {"train": "train", "validate": "test"}
    if options.test == "test":
        parts = {"train": "train", "validate": "val", "test": "test"}
    videos = videos_by_stem(options.source)
    clips: list[Clip] = []
    for part, split in parts.items():
        if part not in files:
            raise InputError(
                f"There is no {part}.csv in {options.source} or its annotations/. "
                "Copy the edition's CSV files there."
            )
        rows = _rows(files[part])
        clips += [_clip(row, split, options.source / part, videos) for row in rows]
    clips, repeats = number_repeats(clips)
    twice = [stem for stem, paths in videos.items() if len(paths) > 1]
    return Listing(
        clips,
        set_aside={
            "rows repeat the video and span of another row": repeats,
            "clips come from a video that a later split has too": [
                name for name in overlapping(clips) if name not in set(repeats)
            ],
        },
        notes={"videos stand in several folders; one called replacement is taken, else the first": twice},
    )


def known(options: Options) -> Known:
    """Only the number of classes: how many clips are listed differs between releases of one edition."""
    return Known(classes=int(options.edition.split("-")[0]))


def _csv_files(source: Path) -> dict[Part, Path]:
    """train, validate, test → the file in `source` or its annotations/ that is called so."""
    found: dict[Part, Path] = {}
    names: dict[str, Part] = {"train": "train", "val": "validate", "validate": "validate", "test": "test"}
    for path in sorted([*source.glob("*.csv"), *source.glob("annotations/*.csv")]):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        part = names[match[1]]
        if part in found:
            raise InputError(f"Both {found[part]} and {path} list the part '{part}'. Keep one of them.")
        found[part] = path
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows, their times as numbers."""
    table = read_rows(path, "")
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise InputError(
            f"{path} has no column {', '.join(lacking)}; it has: {', '.join(table.columns)}. "
            "A list without labels cannot be a test split; choose --test validate."
        )
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for line, row in zip(table.lines, table.rows, strict=True):
        try:
            start, end = number(row["time_start"]), number(row["time_end"])
        except InputError:
            start = end = -1.0
        if not 0 <= start < end:
            wrong.append(f"line {line}")
        rows.append(row | {"time_start": start, "time_end": end})
    if wrong:
        raise InputError(f"{path}: time_start and time_end are no span of seconds in {shown(wrong)}.")
    return rows


def _clip(row: Mapping[str, Any], split: Split, folder: Path, videos: Mapping[str, list[Path]]) -> Clip:
    """The cut clip where there is one, else the span of the whole video, else the clip where it should be."""
    youtube = str(row["youtube_id"])
    start, end = row["time_start"], row["time_end"]
    stem = f"{youtube}_{int(start):06d}_{int(end):06d}"
    whole = stem not in videos and youtube in videos
    paths = videos.get(stem) or videos.get(youtube) or [folder / str(row["label"]) / f"{stem}.mp4"]
    video = next((path for path in paths if any(REPLACED in part for part in path.parts)), paths[0])
    return Clip(
        id=stem,
        label=str(row["label"]),
        group=youtube,
        split=split,
        video=str(video),
        subtitles=subtitles_beside(video),
        start=start if whole else None,
        end=end if whole else None,
    )


RECIPE = Recipe(
    name="kinetics",
    title="Kinetics",
    url="https://github.com/cvdfoundation/kinetics-dataset",
    licence="lists: Creative Commons Attribution 4.0; the videos belong to those who uploaded them",
    citation="W. Kay et al. The Kinetics Human Action Video Dataset. arXiv:1705.06950, 2017 "
    "(600: arXiv:1808.01340; 700: arXiv:1907.06987; 700-2020: arXiv:2010.10864)",
    options=Options,
    listing=listing,
    known=known,
    defects=(
        "videos vanish from YouTube, so that no two copies hold the same clips: report how many you have",
        "editions overlap: the validation part of 400 is largely in the training part of 700",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
