"""GRID digits: one-second clips of one speaker saying a digit, in five folds.

mmvideo prepare grid_digits --source ~/downloads/grid_digits --out data/grid_digits --fold 0 --check
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.recipes import CarvedOptions, Known, Listing, Recipe, main, read_rows
from mmvideo.store.decode import decode_video

COLUMNS = {"clip", "digit", "label", "fold"}
FRAME_RATE, HEIGHT = 25, 288  # of the corpus: frames as they are
TOP, LEFT = 180, 120  # where the mouth is, in pixels, with room for the head to move
CUE = "1\n00:00:00,000 --> 00:00:01,000\n{}\n"


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    fold: Literal[0, 1, 2, 3, 4] = 0
    """Which fold is test; the others are train, and validation is carved from them."""
    text: Literal["full", "masked", "noisy50", "none"] = "full"
    """Which transcript a clip has: `full` holds the answer, `masked` has [unk] in its place, `noisy50` has
    the right digit in about half of the clips and another in the rest."""
    text_as: Literal["subtitles", "metadata"] = "subtitles"
    """Write the transcript as subtitles (.srt, below the manifest's folder), or into the manifest as the
    metadata field `transcript`."""
    visual: Literal["frames", "mouth"] = "frames"
    """Whether visual is the video's frames, or precomputed features: the grey pixels around the mouth, each
    clip's own mean taken off (.npy, below the manifest's folder; `visual.name` is then `features`)."""


def listing(options: Options) -> Listing:
    """Every clip of labels.csv. A clip is its own group: all are of one speaker, each is one sentence."""
    table = read_rows(options.source / "labels.csv", "It lists the clips: clip, digit, label, text_…, fold.")
    column = f"text_{options.text}"
    table.require(COLUMNS | ({column} if options.text != "none" else set()))
    return Listing([_clip(row, row.get(column, ""), options) for row in table.rows])


def _clip(row: Mapping[str, str], text: str, options: Options) -> Clip:
    name = Path(row["clip"]).stem
    as_mouth = options.visual == "mouth"
    as_subtitles = bool(text) and options.text_as == "subtitles"
    return Clip(
        id=name,
        label=row["digit"],
        group=name,
        split="test" if int(row["fold"]) == options.fold else "train",
        video=row["clip"],
        subtitles=str(_write_subtitles(name, text, options)) if as_subtitles else None,
        metadata={"transcript": text} if text and not as_subtitles else {},
        features={"visual": str(_write_mouth(name, row["clip"], options))} if as_mouth else {},
    )


def _write_mouth(name: str, video: str, options: Options) -> Path:
    """Grey pixels of the region the speaker's mouth is in, at a quarter of the size: (25, 14 × 22)."""
    path = options.folder(RECIPE.name) / "mouth" / f"{name}.npy"
    if not path.exists():
        decoded = decode_video(options.source / video, rate=FRAME_RATE, size=HEIGHT)
        if decoded is None:
            raise InputError(f"{options.source / video} has no picture, so there is no mouth to cut out.")
        grey = decoded.frames[:, TOP : TOP + 4 * 14, LEFT : LEFT + 4 * 22].mean(axis=3)
        small = grey.reshape(len(grey), 14, 4, 22, 4).mean(axis=(2, 4)).reshape(len(grey), -1)
        buffer = io.BytesIO()
        np.save(buffer, ((small - small.mean(axis=0)) / 255).astype(np.float32))
        write_whole(path, buffer.getvalue())
    return path


def _write_subtitles(name: str, text: str, options: Options) -> Path:
    """One cue over the whole second: only the digit's own time is known."""
    path = options.folder(RECIPE.name) / f"subtitles_{options.text}" / f"{name}.srt"
    write_whole(path, CUE.format(text).encode())
    return path


RECIPE = Recipe(
    name="grid_digits",
    title="GRID digits",
    url="https://spandh.dcs.shef.ac.uk/gridcorpus/",
    licence="that of the GRID corpus: free for research",
    citation=(
        "M. Cooke, J. Barker, S. Cunningham, X. Shao. An audio-visual corpus for speech perception and "
        "automatic speech recognition. J. Acoust. Soc. Am. 120(5), 2006."
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(clips={"train": 800, "test": 200}, classes=10),
    defects=("One speaker only: what is learnt need not hold for others.",),
)

if __name__ == "__main__":
    main(RECIPE)
