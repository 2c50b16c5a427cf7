"""MELD: utterances of the series Friends, with emotion and sentiment.

mmvideo prepare meld --source ~/downloads/MELD.Raw --out data/meld --check
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmvideo.clips.manifest import Clip
from mmvideo.recipes import BaseOptions, Known, Listing, Recipe, main, read_rows, subtitles_beside
from mmvideo.vocabulary import SPLITS, Split

PARTS: dict[Split, tuple[str, str]] = {
    "train": ("train_sent_emo.csv", "train_splits"),
    "val": ("dev_sent_emo.csv", "dev_splits_complete"),
    "test": ("test_sent_emo.csv", "output_repeated_splits_test"),
}
"""Split → its table and its folder of clips."""
COLUMNS = {"Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"}
COUNTS: dict[str, dict[str, tuple[int, int, int]]] = {
    "emotion": {
        "anger": (1109, 153, 345),
        "disgust": (271, 22, 68),
        "fear": (268, 40, 50),
        "joy": (1743, 163, 402),
        "neutral": (4710, 470, 1256),
        "sadness": (683, 111, 208),
        "surprise": (1205, 150, 281),
    },
    "sentiment": {"negative": (2945, 406, 833), "neutral": (4710, 470, 1256), "positive": (2334, 233, 521)},
}
"""Clips of each class in train, val and test."""


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Flags of the recipe."""

    label: Literal["emotion", "sentiment"] = "emotion"
    """Seven emotions, or three sentiments."""


def listing(options: Options) -> Listing:
    """Every utterance of the official tables, grouped by its dialogue. Dialogues are numbered per split."""
    clips = []
    for split, (table, folder) in PARTS.items():
        path = _table(options.source, table)
        rows = read_rows(path, "It is part of MELD.Raw.tar.gz.")
        rows.require(COLUMNS)
        videos = _folder(options.source, folder)
        for row in rows.rows:
            name = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            video = videos / f"{name}.mp4"
            clips.append(
                Clip(
                    id=f"{split}_{name}",
                    label=row[options.label.capitalize()].strip().lower(),
                    group=f"{split}_dia{row['Dialogue_ID']}",
                    split=split,
                    video=str(video),
                    subtitles=subtitles_beside(video),
                    metadata={"transcript": row["Utterance"], "speaker": row["Speaker"]},
                )
            )
    return Listing(clips)


def _table(source: Path, name: str) -> Path:
    """The table in the download's root, or beside the clips it describes."""
    found = (source / name, *sorted(source.glob(f"*/{name}")))
    return next((path for path in found if path.is_file()), source / name)


def _folder(source: Path, name: str) -> Path:
    """The folder of clips, in the download's root or one level below (`train/train_splits`)."""
    found = (source / name, *sorted(source.glob(f"*/{name}")))
    return next((path for path in found if path.is_dir()), source / name)


def known(options: Options) -> Known:
    """The official counts."""
    counts = COUNTS[options.label]
    return Known(
        clips={"train": 9989, "val": 1109, "test": 2610},
        classes=len(counts),
        per_class={label: dict(zip(SPLITS, row, strict=True)) for label, row in counts.items()},
    )


RECIPE = Recipe(
    name="meld",
    title="MELD",
    url="https://affective-meld.github.io",
    licence="GPL-3.0 for the annotations; the clips are from a television series",
    citation=(
        "S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea. MELD: A Multimodal "
        "Multi-Party Dataset for Emotion Recognition in Conversations. ACL 2019. arXiv:1810.02508"
    ),
    options=Options,
    listing=listing,
    known=known,
    defects=(
        "users report that dia125_utt3.mp4 of train cannot be decoded and that dia110_utt7.mp4 of dev is "
        "not in the archive (not checked here)",
        "nearly half of all utterances are neutral: look at macro F1 beside accuracy",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
