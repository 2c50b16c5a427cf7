"""RAVDESS: 24 actors speak and sing two sentences with up to eight emotions.

mmvideo prepare ravdess --source ~/downloads/RAVDESS --out data/ravdess --check
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import BaseOptions, Known, Listing, Recipe, main, split_by_group, subtitles_beside

NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>[01]\d|2[0-4])"
)
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
CHANNELS = {"01": "speech", "02": "song"}
MEDIA = {"audio_visual": ("01", ".mp4"), "audio": ("03", ".wav")}
"""What is read → the code in the name, and the suffix. 02 is the picture of 01 without its sound."""
TOTALS = {"speech": 1440, "song": 1012, "both": 2452}
CLASSES = {"speech": 8, "song": 6, "both": 8}


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Flags of the recipe."""

    channel: Literal["speech", "song", "both"] = "speech"
    """What the actors do. Songs have no disgust and no surprise, and one actor less."""
    media: Literal["audio_visual", "audio"] = "audio_visual"
    """The videos with sound, or the separate sound files."""
    test_share: float = 0.2
    """Share of the clips to test on, whole actors at a time."""
    validation_share: float | None = None
    """Share of the clips to set aside for validation now, whole actors at a time, the same for all runs.
    None: each run draws its own from train (data.validation_share)."""
    seed: int = 0
    """Decides which actors are in which split."""


def listing(options: Options) -> Listing:
    """Every recording below the source that is asked for, split by actor: there is no official split."""
    code, suffix = MEDIA[options.media]
    chosen: dict[str, Path] = {}
    strange = []
    for path in sorted(options.source.rglob(f"*{suffix}")):
        match = NAME.fullmatch(path.stem)
        if match is None:
            strange.append(path.name)
        elif match["modality"] == code and options.channel in (CHANNELS[match["channel"]], "both"):
            chosen.setdefault(path.stem, path)  # the same recording may lie in several unpacked archives
    if not chosen:
        raise InputError(
            f"Below {options.source} there is no {options.channel} called {code}-…{suffix}. Unpack "
            "Video_Speech_Actor_XX.zip, Video_Song_Actor_XX.zip or the archives of sound files there."
        )
    clips = [_clip(path) for path in chosen.values()]
    test, val = options.test_share, options.validation_share
    return Listing(
        split_by_group(clips, test_share=test, validation_share=val, seed=options.seed),
        notes={f"{suffix} files have no RAVDESS name": strange},
    )


def _clip(path: Path) -> Clip:
    match = NAME.fullmatch(path.stem)
    assert match is not None
    return Clip(
        id=path.stem,
        label=EMOTIONS[int(match["emotion"]) - 1],
        group=f"actor{match['actor']}",
        split="train",
        subtitles=subtitles_beside(path),
        metadata={"transcript": STATEMENTS[match["statement"]], "channel": CHANNELS[match["channel"]]},
        video=str(path) if path.suffix == ".mp4" else None,
        audio=str(path) if path.suffix == ".wav" else None,
    )


RECIPE = Recipe(
    name="ravdess",
    title="RAVDESS",
    url="https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0",
    citation=(
        "S. R. Livingstone, F. A. Russo. The Ryerson Audio-Visual Database of Emotional Speech and Song "
        "(RAVDESS). PLoS ONE 13(5): e0196391, 2018."
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(total=TOTALS[options.channel], classes=CLASSES[options.channel]),
    defects=(
        "files 01-… and 02-… show the same take with and without sound: only the first are taken",
        "neutral has no strong intensity and so half as many clips as the other emotions",
        "the words say nothing about the emotion",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
