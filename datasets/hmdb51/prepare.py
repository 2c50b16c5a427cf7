"""HMDB51: 51 human actions from films and web videos, three official splits.

mmvideo prepare hmdb51 --source ~/downloads/hmdb51 --out data/hmdb51 --check
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import (
    CarvedOptions,
    Known,
    Listing,
    Recipe,
    main,
    overlapping,
    read_list,
    subtitles_beside,
)
from mmvideo.vocabulary import Split

LISTS = "testTrainMulti_7030_splits"
VIDEOS = "hmdb51_org"
PARTS: dict[str, Split] = {"1": "train", "2": "test"}
UNUSED = "0"
LINE = re.compile(r"(?P<name>.+\.avi)\s+(?P<part>[012])")
TAGS = re.compile(r"_[hufl]_(nm|cm)_np\d+_(fr|ba|le|ri)_(goo|med|bad)_\d+")
"""Visible body parts, camera motion, number of people, view point, quality, and the clip's number."""


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    split: Literal[1, 2, 3] = 1
    """Which of the three official splits."""


def source_of(name: str, label: str) -> str:
    """The film or web video that a clip was cut from: its file's name without class, tags and number.

    >>> source_of("April_09_brush_hair_u_nm_np1_ba_goo_0.avi", "brush_hair")
    'April_09'

    Raises:
        InputError: the name does not end as the official ones do.
    """
    tags = TAGS.search(Path(name).stem)
    if tags is None or tags.end() != len(Path(name).stem):
        raise InputError(
            f"{name} is not named <source>_<class>_<body>_<camera>_<people>_<view>_<quality>_<number>.avi, "
            "such as April_09_brush_hair_u_nm_np1_ba_goo_0.avi."
        )
    return Path(name).stem[: tags.start()].removesuffix(f"_{label}")


def listing(options: Options) -> Listing:
    """The clips of one official split, labelled by their list, grouped by class and source."""
    folder = options.source / LISTS
    ending = f"_test_split{options.split}.txt"
    lists = sorted(folder.glob(f"*{ending}"))
    if not lists:
        raise InputError(f"There is no {folder / f'<class>{ending}'}. Unpack test_train_splits.rar there.")
    videos = options.source / VIDEOS if (options.source / VIDEOS).is_dir() else options.source
    clips: list[Clip] = []
    unused: list[str] = []
    for path in lists:
        label = path.name.removesuffix(ending)
        for name, part in _rows(path):
            if part == UNUSED:
                unused.append(f"{label}/{name}")
            else:
                clips.append(_clip(videos / label / name, label, PARTS[part]))
    known_names = {clip.video for clip in clips} | {str(videos / name) for name in unused}
    unlisted = sorted(str(path.relative_to(videos)) for path in videos.glob("*/*.avi"))
    unlisted = [name for name in unlisted if str(videos / name) not in known_names]
    return Listing(
        clips,
        set_aside={"training clips come from a video that test has clips of": overlapping(clips)},
        notes={
            "listed videos are in neither part of this split": unused,
            "videos on disk are in no list": unlisted,
        },
    )


def known(options: Options) -> Known:
    """Each class has 70 clips to train on and 30 to test on."""
    labels = [
        path.name.rpartition("_test_split")[0] for path in (options.source / LISTS).glob("*_split1.txt")
    ]
    return Known(
        clips={"train": 3570, "test": 1530},
        classes=51,
        per_class={label: {"train": 70, "test": 30} for label in sorted(labels)},
    )


def _rows(path: Path) -> list[tuple[str, str]]:
    lines = read_list(path, "Unpack test_train_splits.rar there.")
    matches = [LINE.fullmatch(line) for line in lines]
    strange = [line for line, match in zip(lines, matches, strict=True) if match is None]
    if strange:
        raise InputError(f"{path}: {len(strange)} lines are not '<name>.avi <0, 1 or 2>': {shown(strange)}")
    return [(match["name"], match["part"]) for match in matches if match]


def _clip(video: Path, label: str, split: Split) -> Clip:
    return Clip(
        id=f"{label}/{video.stem}",
        label=label,
        group=f"{label}/{source_of(video.name, label)}",
        split=split,
        video=str(video),
        subtitles=subtitles_beside(video),
    )


RECIPE = Recipe(
    name="hmdb51",
    title="HMDB51",
    url="https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
    licence="Creative Commons Attribution 4.0, as the page states; the films belong to their owners",
    citation="H. Kuehne, H. Jhuang, E. Garrote, T. Poggio, T. Serre. HMDB: A Large Video Database for Human "
    "Motion Recognition. ICCV 2011",
    options=Options,
    listing=listing,
    known=known,
    defects=(
        "there is no official validation split: each run draws its own from train by source video",
        "a film may give clips to several classes; groups are per class, as in the official splits",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
