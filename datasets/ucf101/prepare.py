"""UCF101: 101 human actions, three official splits.

mmvideo prepare ucf101 --source ~/downloads/ucf101 --out data/ucf101 --check
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import CarvedOptions, Known, Listing, Recipe, main, read_list, subtitles_beside
from mmvideo.vocabulary import Split

LISTS = "ucfTrainTestlist"
VIDEO_NAME = re.compile(r"v_\w+_(g\d\d)_c\d\d")
PARTS: tuple[Split, Split] = ("train", "test")
SIZES: dict[int, dict[Split, int]] = {
    1: {"train": 9537, "test": 3783},
    2: {"train": 9586, "test": 3734},
    3: {"train": 9624, "test": 3696},
}


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    split: Literal[1, 2, 3] = 1
    """Which of the three official splits."""


def listing(options: Options) -> Listing:
    """The clips of one official split, labelled by their folder, grouped by `<Class>_gXX`.

    Groups are per class: g01 of one class has nothing to do with g01 of another.
    """
    source = options.source
    videos = source / "UCF-101" if (source / "UCF-101").is_dir() else source
    clips = [
        _clip(videos / name, part)
        for part in PARTS
        for name in _names(source / LISTS / f"{part}list0{options.split}.txt")
    ]
    listed = {Path(clip.video or "") for clip in clips}
    unlisted = sorted(str(path.relative_to(videos)) for path in {*videos.glob("*/*.avi")} - listed)
    return Listing(clips, notes={"videos on disk are in no list": unlisted})


def known(options: Options) -> Known:
    """The sizes of the official lists."""
    text = Path(__file__).with_name("counts.json").read_text(encoding="utf-8")
    per_class = {
        label: dict(zip(PARTS, counts[str(options.split)], strict=True))
        for label, counts in json.loads(text).items()
    }
    return Known(clips=SIZES[options.split], classes=101, per_class=per_class)


def _names(path: Path) -> list[str]:
    """`<Class>/<file>.avi` of every line; training lists add a class number, which the folder tells."""
    advice = f"Unpack UCF101TrainTestSplits-RecognitionTask.zip into {path.parent.parent}."
    names = [line.split()[0] for line in read_list(path, advice)]
    strange = [name for name in names if name.count("/") != 1 or not VIDEO_NAME.fullmatch(Path(name).stem)]
    if strange:
        raise InputError(
            f"{path}: {len(strange)} lines are not <Class>/v_<Class>_gXX_cXX.avi: {shown(strange)}"
        )
    return names


def _clip(video: Path, split: Split) -> Clip:
    match = VIDEO_NAME.fullmatch(video.stem)
    assert match is not None
    return Clip(
        id=video.stem,
        label=video.parent.name,
        group=f"{video.parent.name}_{match[1]}",
        split=split,
        video=str(video),
        subtitles=subtitles_beside(video),
    )


RECIPE = Recipe(
    name="ucf101",
    title="UCF101",
    url="https://www.crcv.ucf.edu/data/UCF101.php",
    licence="none is stated; user-uploaded videos, offered for research",
    citation="K. Soomro, A. R. Zamir, M. Shah. UCF101. CRCV-TR-12-01, 2012. arXiv:1212.0402",
    options=Options,
    listing=listing,
    known=known,
    defects=(
        "only 51 of the 101 classes have sound: its presence alone tells part of the label",
        "there is no official validation split: each run draws its own from train by group",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
