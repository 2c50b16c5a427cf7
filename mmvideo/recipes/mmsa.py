"""CMU-MOSI and CMU-MOSEI as the MMSA project ships them: clips with label.csv, and feature pickles.

https://github.com/thuiar/MMSA. `label.csv` has a row for each utterance (video_id, clip_id, text, label, mode
…), its clip is Raw/<video_id>/<clip_id>.mp4. A feature pickle (Processed/aligned_50.pkl) is a dictionary of
train, valid and test, each with `id` (`<video_id>$_$<clip_id>`), `raw_text`, `regression_labels`, and arrays
`text`, `audio`, `vision` of shape (clips, steps, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.beside import subtitles_beside
from mmvideo.clips.feature_files import as_numbers
from mmvideo.clips.manifest import Clip
from mmvideo.clips.safe_pickle import load_data
from mmvideo.errors import InputError
from mmvideo.files import replacing
from mmvideo.recipes.base import BaseOptions, Known, Listing
from mmvideo.recipes.tables import read_rows
from mmvideo.vocabulary import Split

MODES: dict[str, Split] = {"train": "train", "valid": "val", "test": "test"}
ARRAYS: dict[str, str] = {"visual": "vision", "audio": "audio", "text": "text"}
COLUMNS = {"video_id", "clip_id", "text", "label", "mode"}
SEVEN = ("-3", "-2", "-1", "0", "1", "2", "3")
LabelKind = Literal["score", "seven", "negative_or_not", "negative_or_positive"]
CLASSES: dict[LabelKind, int] = {"seven": 7, "negative_or_not": 2, "negative_or_positive": 2}


@dataclass(frozen=True, kw_only=True)
class MmsaOptions(BaseOptions):
    """Flags of the recipes in MMSA's layout."""

    label: LabelKind = "score"
    """score: the sentiment from -3 to 3, a number (data.task regression). seven: rounded to seven classes.
    negative_or_not: below 0, or from 0 on. negative_or_positive: the same without those of exactly 0."""
    features: Path | None = None
    """A feature pickle, absolute or below the source, such as Processed/aligned_50.pkl. Its arrays are
    written as .npy below the manifest's folder. Without label.csv it also lists the clips."""


@dataclass(frozen=True)
class _Utterance:
    video: str
    clip: str
    text: str
    score: float
    split: Split

    @property
    def id(self) -> str:
        return f"{self.video}_{self.clip}"


def mmsa_listing(options: MmsaOptions, folder: Path) -> Listing:
    """Every utterance of label.csv or of the pickle, grouped by its video.

    Args:
        folder: where the recipe writes to.

    Raises:
        InputError: neither is there, or one is malformed.
    """
    table = options.source / "label.csv"
    content = None if options.features is None else _read_pickle(options.source / options.features)
    if table.is_file():
        utterances = _from_table(table)
    elif content is not None:
        utterances = _from_pickle(content)
    else:
        raise InputError(f"There is no {table}. Give MMSA's folder of the data set, or --features alone.")
    features = {} if content is None else _unpack(content, folder / "features")
    videos = options.source / "Raw"
    clips = [_clip(u, options.label, features.get(u.id, {}), videos) for u in utterances]
    zero = [u.id for u in utterances if u.score == 0 and options.label == "negative_or_positive"]
    lacking = [u.id for u in utterances if content is not None and u.id not in features]
    return Listing(
        clips,
        {"utterances are neither negative nor positive": zero},
        {"utterances have no features in the pickle": lacking},
    )


def mmsa_known(options: MmsaOptions, counts: Mapping[Split, int]) -> Known:
    """The published counts; the number of classes where there are any."""
    return Known(clips=counts, classes=CLASSES.get(options.label))


def _from_table(path: Path) -> list[_Utterance]:
    table = read_rows(path, "")
    table.require(COLUMNS)
    found = []
    for line, row in zip(table.lines, table.rows, strict=True):
        if row["mode"] not in MODES:
            raise InputError(f"{path}:{line}: mode '{row['mode']}'; expected {', '.join(MODES)}.")
        score = _score(row["label"], f"{path}:{line}")
        found.append(_Utterance(row["video_id"], row["clip_id"], row["text"], score, MODES[row["mode"]]))
    return found


def _read_pickle(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"There is no feature pickle {path}.")
    content = load_data(path)
    needed = {"id", "regression_labels", *ARRAYS.values()}
    if not isinstance(content, dict) or not content.keys() >= MODES.keys():
        raise InputError(f"{path} is not in MMSA's layout: it has no train, valid and test.")
    for mode in MODES:
        part = content[mode] if isinstance(content[mode], dict) else {}
        if lacking := needed - part.keys():
            raise InputError(f"{path}: '{mode}' lacks {', '.join(sorted(lacking))}.")
        counts = {
            name: _length(part[name]) for name in ("id", "raw_text", "regression_labels") if name in part
        }
        if len(set(counts.values())) > 1 or None in counts.values():
            raise InputError(f"{path}: '{mode}' has lists of different lengths: {counts}.")
    return {mode: content[mode] for mode in MODES}


def _length(column: Any) -> int | None:
    """Of a list or an array with rows; None: it is neither."""
    return (
        len(column)
        if isinstance(column, list | tuple) or (isinstance(column, np.ndarray) and column.ndim)
        else None
    )


def _from_pickle(content: Mapping[str, Mapping[str, Any]]) -> list[_Utterance]:
    found = []
    for mode, split in MODES.items():
        part = content[mode]
        texts = part.get("raw_text", [""] * len(part["id"]))
        for name, text, score in zip(part["id"], texts, part["regression_labels"], strict=True):
            video, clip = _parts(name)
            found.append(_Utterance(video, clip, str(text), _score(score, name), split))
    return found


def _parts(name: str) -> tuple[str, str]:
    """`<video>$_$<clip>`; the video's id may hold underscores."""
    video, mark, clip = str(name).partition("$_$")
    if not mark:
        raise InputError(f"The pickle calls an utterance '{name}'; expected <video>$_$<clip>.")
    return video, clip


def _score(value: Any, where: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = float("nan")
    if not -3 <= score <= 3:
        raise InputError(f"{where}: the label '{value}' is no sentiment from -3 to 3.")
    return score


def label_of(score: float, kind: LabelKind) -> str | float:
    """What a sentiment score from -3 to 3 is called. Halves round to even, as in the field's Acc-7."""
    if kind == "score":
        return score
    if kind == "seven":
        return SEVEN[round(score) + 3]
    if kind == "negative_or_not":
        return "negative" if score < 0 else "not negative"
    return "negative" if score < 0 else "positive"


def _clip(utterance: _Utterance, kind: LabelKind, features: dict[str, str], videos: Path) -> Clip:
    video = videos / utterance.video / f"{utterance.clip}.mp4"
    with_video = videos.is_dir() or not features
    return Clip(
        id=utterance.id,
        label=label_of(utterance.score, kind),
        group=utterance.video,
        split=utterance.split,
        video=str(video) if with_video else None,
        subtitles=subtitles_beside(video) if with_video else None,
        metadata={"transcript": utterance.text},
        features=features,
    )


def _unpack(content: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, dict[str, str]]:
    """Write every array as .npy, which is read without loading the whole; id → its features' references.

    What the pickle itself marks as padding (`text_bert`'s attention mask, `audio_lengths`, `vision_lengths`)
    is set to zeros, so that it is cut off when read.
    """
    references: dict[str, dict[str, str]] = {}
    for mode, part in content.items():
        for modality, name in ARRAYS.items():
            values = _without_padding(part, name, mode)
            path = folder / f"{mode}_{name}.npy"
            _save(path, values)
            for row, utterance in enumerate(part["id"]):
                references.setdefault("_".join(_parts(utterance)), {})[modality] = f"{path}#{row}"
    return references


def _without_padding(part: Mapping[str, Any], name: str, mode: str) -> NDArray[np.float32]:
    try:
        values = as_numbers(part[name], largest=None)
    except InputError as error:
        raise InputError(f"'{mode}/{name}': {error}") from error
    if values.ndim not in (2, 3) or len(values) != len(part["id"]):
        raise InputError(f"'{mode}/{name}' has the shape {values.shape} for {len(part['id'])} utterances.")
    if values.ndim == 2:
        return values
    steps = np.arange(values.shape[1])
    if f"{name}_lengths" in part:
        lengths = as_numbers(part[f"{name}_lengths"])
        if lengths.shape != (len(values),):
            raise InputError(f"'{mode}/{name}_lengths' are {lengths.shape} for {len(values)} utterances.")
        values[steps >= lengths[:, None]] = 0
    bert = as_numbers(part["text_bert"]) if name == "text" and "text_bert" in part else None
    if bert is not None and bert.shape == (len(values), 3, values.shape[1]):
        values[bert[:, 1] == 0] = 0
    return values


def _save(path: Path, values: NDArray[np.float32]) -> None:
    """The array as a file that appears whole or not at all; it may be too large to build in memory first."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)
