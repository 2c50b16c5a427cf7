"""AVE: 28 audio-visual events in ten-second videos, each with the span in which it is seen and heard.

mmvideo prepare ave --source ~/downloads/AVE_Dataset --out data/ave --check
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.clips.manifest import Clip, shown
from mmvideo.errors import InputError
from mmvideo.recipes import (
    BaseOptions,
    Known,
    Listing,
    Recipe,
    main,
    number_repeats,
    overlapping,
    read_list,
    safe_name,
    subtitles_beside,
)
from mmvideo.vocabulary import Split

PARTS: dict[Split, str] = {"train": "trainSet.txt", "val": "valSet.txt", "test": "testSet.txt"}
HEADER = "Category&VideoID&Quality&StartTime&EndTime"


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Flags of the recipe."""

    span: Literal["video", "event"] = "video"
    """video: the whole ten seconds. event: only the seconds in which the event is seen and heard."""


def listing(options: Options) -> Listing:
    """One clip for each line of the official lists. A video with two events is two clips of one group."""
    rows: list[Clip] = []
    instant: list[str] = []
    for split, name in PARTS.items():
        for label, video, start, end in _rows(options.source / name):
            event = options.span == "event" and end > start
            path = options.source / "AVE" / f"{video}.mp4"
            clip = Clip(
                id=f"{video}_{safe_name(label)}_{start:g}_{end:g}",
                label=label,
                group=video,
                split=split,
                video=str(path),
                subtitles=subtitles_beside(path),
                start=start if event else None,
                end=end if event else None,
            )
            rows.append(clip)
            if options.span == "event" and not event:
                instant.append(clip.id)
    clips, repeats = number_repeats(rows)
    aside = {
        "lines repeat another line": repeats,
        "events have no length": instant,
        "clips show a video that a later split has too": [
            name for name in overlapping(clips) if name not in {*repeats, *instant}
        ],
    }
    return Listing(clips, aside)


def _rows(path: Path) -> list[tuple[str, str, float, float]]:
    """Label, video id, and the event's start and end in seconds."""
    lines = read_list(path, "Unpack the data set's archive into --source.")
    found: list[tuple[str, str, float, float]] = []
    strange: list[str] = []
    for line in lines:
        cells = line.split("&")
        if line == HEADER:
            continue
        if len(cells) == 5 and all(cell.replace(".", "", 1).isdecimal() for cell in cells[3:]):
            found.append((cells[0], cells[1], float(cells[3]), float(cells[4])))
        else:
            strange.append(line)
    if strange:
        raise InputError(f"{path}: {len(strange)} lines are not {HEADER}: {shown(strange)}")
    return found


RECIPE = Recipe(
    name="ave",
    title="AVE",
    url="https://sites.google.com/view/audiovisualresearch",
    licence="not checked; the videos are a part of AudioSet and belong to those who uploaded them",
    citation="Y. Tian, J. Shi, B. Li, Z. Duan, C. Xu. Audio-Visual Event Localization in Unconstrained "
    "Videos. ECCV 2018. arXiv:1803.08842",
    options=Options,
    listing=listing,
    known=lambda options: Known(total=4143, classes=28),
    defects=(
        "4,097 videos make 4,143 clips: some have two events, which a model with one label each must miss",
        "the authors' order files (.h5) divide the clips otherwise than the text files, which are read here",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
