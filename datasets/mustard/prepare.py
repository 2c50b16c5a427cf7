"""MUStARD: sarcastic and sincere utterances from television series.

mmvideo prepare mustard --source ~/downloads/mustard --out data/mustard --check
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import CarvedOptions, Known, Listing, Recipe, main, read_json, subtitles_beside

TEST_SHOW = "FRIENDS"
FIELDS = {"utterance", "speaker", "context", "show", "sarcasm"}
LABELS = {True: "sarcastic", False: "sincere"}


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""


def listing(options: Options) -> Listing:
    """Every utterance, split as in the paper's speaker-independent setup: Friends is test.

    A group is a speaker of one series, so that validation is speaker-independent too.
    """
    path = _first(options.source, "sarcasm_data.json")
    videos = _first(options.source, "utterances_final")
    records: dict[str, dict[str, Any]] = read_json(
        path, "It is data/sarcasm_data.json of the authors' repository."
    )
    if not isinstance(records, dict) or not all(isinstance(record, dict) for record in records.values()):
        raise InputError(f"{path} is not in MUStARD's layout: expected an object of objects, by utterance.")
    return Listing([_clip(name, record, videos, path) for name, record in records.items()])


def _first(source: Path, name: str) -> Path:
    """A file or folder in the download's root, or one level below (`data/`, `mmsd_raw_data/`)."""
    found = (source / name, *sorted(source.glob(f"*/{name}")))
    return next((path for path in found if path.exists()), source / name)


def _clip(name: str, record: dict[str, Any], videos: Path, path: Path) -> Clip:
    if lacking := FIELDS - record.keys():
        raise InputError(f"{path}: '{name}' lacks {', '.join(sorted(lacking))}.")
    video = videos / f"{name}.mp4"
    return Clip(
        id=name,
        label=LABELS[bool(record["sarcasm"])],
        group=f"{record['show']}_{record['speaker']}",
        split="test" if record["show"] == TEST_SHOW else "train",
        video=str(video),
        subtitles=subtitles_beside(video),
        metadata={
            "transcript": record["utterance"],
            "context": " ".join(record["context"]),
            "speaker": record["speaker"],
            "show": record["show"],
        },
    )


RECIPE = Recipe(
    name="mustard",
    title="MUStARD",
    url="https://github.com/soujanyaporia/MUStARD",
    licence="MIT for the annotations; the clips are from television series",
    citation=(
        "S. Castro, D. Hazarika, V. Pérez-Rosas, R. Zimmermann, R. Mihalcea, S. Poria. Towards Multimodal "
        "Sarcasm Detection (An _Obviously_ Perfect Paper). ACL 2019. arXiv:1906.01815"
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(clips={"train": 334, "test": 356}, classes=2),
    defects=(
        "small: with 356 test clips one clip is 0.3 points of accuracy",
        "who speaks may tell part of the label: leave the metadata fields `speaker` and `show` unread",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
