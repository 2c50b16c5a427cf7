"""CMU-MOSI as tables of utterance features: one vector of visual, audio and text for each utterance.

mmvideo prepare cmu_mosi_features --source ~/downloads/cmu_mosi_features --out data/cmu_mosi_features --check
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmvideo.clips.feature_files import read_array
from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import CarvedOptions, Known, Listing, Recipe, main, read_rows, split_by_group
from mmvideo.vocabulary import Split

PARTS: tuple[Split, Split] = ("train", "test")
TABLES: dict[str, tuple[str, int]] = {
    "visual": ("video", 100),
    "audio": ("audio", 73),
    "text": ("text", 100),
}
"""Modality → how its tables are called, and the width of a row before the label."""
LABELS = {"0": "negative", "1": "positive"}


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    protocol: Literal["official", "unseen"] = "official"
    """official: train and test as published. unseen: only the utterances of the official test, divided by
    video: the features of the others know their labels (see README.md)."""
    test_share: float = 0.3
    """With `unseen`: share of the utterances to test on."""


def listing(options: Options) -> Listing:
    """Every utterance of both parts, grouped by the video it was cut from."""
    columns = ("id", "words", "video", "label")
    told = read_rows(options.source / "transcripts.csv", ADVICE, names=columns).rows
    clips = []
    for part in PARTS:
        rows = _row_numbers(options.source / f"text_{part}.csv", len(told))
        for modality in TABLES:
            _check_labels(
                _table(options.source, modality, part), modality, [told[row]["label"] for row in rows]
            )
        clips += [_clip(told[row], options.source, part, place) for place, row in enumerate(rows)]
    if options.protocol == "official":
        return Listing(clips)
    test, val = options.test_share, options.validation_share
    return Listing(
        split_by_group(
            [clip for clip in clips if clip.split == "test"],
            test_share=test,
            validation_share=val,
            seed=options.seed,
        ),
        notes={"utterances of the official train are left out": [c.id for c in clips if c.split == "train"]},
    )


ADVICE = (
    "The tables are transcripts.csv, text_<part>.csv and <audio|text|video>_<part>0.csv, part: train, test."
)


def _row_numbers(path: Path, rows: int) -> list[int]:
    """Column 0: which row of the transcripts each row of this part is."""
    names = [str(column) for column in range(TABLES["text"][1] + 1)]
    table = read_rows(path, ADVICE, names=names)
    for line, row in zip(table.lines, table.rows, strict=True):
        if not row["0"].isdecimal() or int(row["0"]) >= rows:
            raise InputError(f"{path}:{line} names row {row['0']!r} of transcripts.csv, which has {rows}.")
    return [int(row["0"]) for row in table.rows]


def _table(source: Path, modality: str, part: Split) -> Path:
    path = source / f"{TABLES[modality][0]}_{part}0.csv"
    if not path.is_file():
        raise InputError(f"There is no {path}. {ADVICE}")
    return path


def _check_labels(path: Path, modality: str, expected: list[str]) -> None:
    """The tables have no ids: that a row's label is its utterance's shows that they are in one order."""
    table = read_array(path)
    width = TABLES[modality][1]
    if table.shape != (len(expected), width + 1):
        raise InputError(f"{path} is a table of {table.shape}; expected {(len(expected), width + 1)}.")
    wrong = np.flatnonzero(table[:, width] != np.array(expected, np.float32))
    if len(wrong):
        raise InputError(
            f"{path}: {len(wrong)} labels are not those of transcripts.csv, the first in row {wrong[0]}. "
            "The tables must come from one download."
        )


def _clip(told: Mapping[str, Any], source: Path, part: Split, place: int) -> Clip:
    return Clip(
        id=told["id"],
        label=LABELS[told["label"]],
        group=told["id"].rpartition("_")[0],
        split=part,
        metadata={"transcript": told["words"]},
        features={m: f"{_table(source, m, part)}#{place}/0:{width}" for m, (_, width) in TABLES.items()},
    )


def known(options: Options) -> Known:
    """What the tables hold."""
    if options.protocol == "unseen":
        return Known(total=752, classes=2)
    return Known(clips={"train": 1447, "test": 752}, classes=2)


RECIPE = Recipe(
    name="cmu_mosi_features",
    title="CMU-MOSI utterance features",
    url="https://github.com/soujanyaporia/multimodal-sentiment-analysis",
    licence="that of CMU-MOSI, for research; whether the features have their own was not checked",
    citation=(
        "S. Poria, E. Cambria, D. Hazarika, N. Mazumder, A. Zadeh, L.-P. Morency. Context-Dependent "
        "Sentiment Analysis in User-Generated Videos. ACL 2017."
    ),
    options=Options,
    listing=listing,
    known=known,
    defects=(
        "the last column of every feature table is the label; it is cut off here",
        "text and video features of train know their labels: a validation split carved from train tells "
        "nothing about test (see --protocol unseen and README.md)",
    ),
)

if __name__ == "__main__":
    main(RECIPE)
