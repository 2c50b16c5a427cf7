"""CREMA-D: 91 actors say twelve sentences with six emotions.

mmvideo prepare crema_d --source ~/downloads/CREMA-D --out data/crema_d --check
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import BaseOptions, Known, Listing, Recipe, main, split_by_group, subtitles_beside

NAME = re.compile(r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX|X)")
EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
SENTENCES = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
VIDEO_FOLDERS = (("VideoFlash", ".flv"), ("VideoMP4", ".mp4"))


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Flags of the recipe."""

    test_share: float = 0.2
    """Share of the clips to test on, whole actors at a time."""
    validation_share: float | None = None
    """Share of the clips to set aside for validation now, whole actors at a time, the same for all runs.
    None: each run draws its own from train (data.validation_share)."""
    seed: int = 0
    """Decides which actors are in which split."""


def listing(options: Options) -> Listing:
    """Every clip of AudioWAV/ or of the videos' folder, split by actor: there is no official split."""
    folder, suffix = next(
        (pair for pair in VIDEO_FOLDERS if (options.source / pair[0]).is_dir()), VIDEO_FOLDERS[0]
    )
    videos, sounds = options.source / folder, options.source / "AudioWAV"
    both = videos.is_dir(), sounds.is_dir()
    files = [*videos.glob(f"*{suffix}"), *sounds.glob("*.wav")]
    names = sorted({path.stem for path in files})
    strange = [name for name in names if not _known(name)]
    if not names:
        raise InputError(f"{options.source} has no clips in VideoFlash/*.flv or AudioWAV/*.wav.")
    clips = [
        _clip(
            name, videos / f"{name}{suffix}" if both[0] else None, sounds / f"{name}.wav" if both[1] else None
        )
        for name in names
        if _known(name)
    ]
    test, val = options.test_share, options.validation_share
    return Listing(
        split_by_group(clips, test_share=test, validation_share=val, seed=options.seed),
        notes={"files are not called <actor>_<sentence>_<emotion>_<level>": strange},
    )


def _known(name: str) -> bool:
    match = NAME.fullmatch(name)
    return match is not None and match["emotion"] in EMOTIONS and match["sentence"] in SENTENCES


def _clip(name: str, video: Path | None, sound: Path | None) -> Clip:
    match = NAME.fullmatch(name)
    assert match is not None
    return Clip(
        id=name,
        label=EMOTIONS[match["emotion"]],
        group=match["actor"],
        split="train",
        video=str(video) if video else None,
        audio=str(sound) if sound else None,
        subtitles=subtitles_beside(video) if video else None,
        metadata={"transcript": SENTENCES[match["sentence"]], "level": match["level"]},
    )


RECIPE = Recipe(
    name="crema_d",
    title="CREMA-D",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database License 1.0",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma. CREMA-D: Crowd-Sourced "
        "Emotional Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4), 2014."
    ),
    options=Options,
    listing=listing,
    known=lambda options: Known(total=7442, classes=6),
    defects=(
        "a split used in several papers has all 91 actors in train and test; here an actor is in one split",
        "the words say nothing about the emotion: every sentence is said with all of them",
        "users report that 1076_MTI_SAD_XX has no sound (not checked here)",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
