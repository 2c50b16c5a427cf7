"""VGGSound: 309 sounds that one sees being made, in ten-second clips of YouTube videos.

mmvideo prepare vggsound --source ~/downloads/vggsound --out data/vggsound --check
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import (
    CarvedOptions,
    Known,
    Listing,
    Recipe,
    main,
    number_repeats,
    overlapping,
    read_rows,
    subtitles_beside,
    videos_by_stem,
)
from mmvideo.vocabulary import Split

LIST = "vggsound.csv"
COLUMNS = ("youtube_id", "start", "label", "split")
SECONDS = 10.0
"""Length of every clip."""


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""


def listing(options: Options) -> Listing:
    """The clips that vggsound.csv lists, as cut clips or as spans of whole videos; groups are videos."""
    path = options.source / LIST
    table = read_rows(path, f"Download {LIST} from {RECIPE.url}.", names=COLUMNS)
    strange = [
        f"line {line}"
        for line, row in zip(table.lines, table.rows, strict=True)
        if not row["start"].isdecimal() or row["split"] not in ("train", "test")
    ]
    if strange:
        raise InputError(
            f"{path}: {len(strange)} rows are not YouTube id, start in whole seconds, label, train or test: "
            f"{shown(strange)}"
        )
    videos = videos_by_stem(options.source)
    rows = [_clip(row, options.source, videos) for row in table.rows]
    clips, repeats = number_repeats(rows)
    aside = {
        "rows repeat the video and start of another row": repeats,
        "training clips come from a video that test has clips of": [
            name for name in overlapping(clips) if name not in set(repeats)
        ],
    }
    return Listing(clips, aside)


def _clip(row: Mapping[str, str], source: Path, videos: Mapping[str, list[Path]]) -> Clip:
    """The cut clip where there is one, else the span of the whole video, else the clip where it should be."""
    youtube, start = str(row["youtube_id"]), int(str(row["start"]))
    split: Split = "train" if row["split"] == "train" else "test"
    stem = f"{youtube}_{start:06d}"
    whole = stem not in videos and youtube in videos
    video = (videos.get(stem) or videos.get(youtube) or [source / "video" / f"{stem}.mp4"])[0]
    return Clip(
        id=stem,
        label=str(row["label"]),
        group=youtube,
        split=split,
        video=str(video),
        subtitles=subtitles_beside(video),
        start=float(start) if whole else None,
        end=start + SECONDS if whole else None,
    )


RECIPE = Recipe(
    name="vggsound",
    title="VGGSound",
    url="https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
    licence="lists: Creative Commons Attribution 4.0; the videos belong to those who uploaded them",
    citation="H. Chen, W. Xie, A. Vedaldi, A. Zisserman. VGGSound: A Large-scale Audio-Visual Dataset. "
    "ICASSP 2020. arXiv:2004.14368",
    options=Options,
    listing=listing,
    known=lambda options: Known(classes=309),
    defects=(
        "videos vanish from YouTube, so that no two copies hold the same clips: report how many you have",
        "some videos were uploaded several times under different ids, which no list of ids can tell",
        "there is no official validation split: each run draws its own from train by video",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
