"""Any table of clips (.csv, .tsv, .jsonl, .json): say which column is what.

mmvideo prepare table --source clips.csv --columns label=emotion video=path group=speaker --out data/mine
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmvideo.clips.manifest import Clip, explain_row, shown
from mmvideo.clips.names import stripped, tidy
from mmvideo.errors import InputError, unknown
from mmvideo.recipes import (
    CarvedOptions,
    Listing,
    Recipe,
    main,
    read_rows,
    split_by_group,
    split_named,
)
from mmvideo.recipes import number as as_number
from mmvideo.vocabulary import SPLITS, TaskKind, counted

PATHS = ("video", "audio", "subtitles")
SECONDS = ("start", "end")
FIELDS = ("id", "label", "group", "split", *PATHS, *SECONDS)


@dataclass(frozen=True, kw_only=True)
class Options(CarvedOptions):
    """Flags of the recipe."""

    columns: tuple[str, ...] = ()
    """Pairs field=column, such as label=emotion video=path. Fields: id, label, group, split, video, audio,
    subtitles, start and end (seconds). A field not given is the column of its own name, if there is one.
    group (speaker, source video …) must not be in two splits; without it, rows of one file are a group."""
    metadata: tuple[str, ...] = ()
    """Columns with free text (title, tags, transcript) that a model may read."""
    features: tuple[str, ...] = ()
    """Pairs modality=column, such as flow=flow_file: columns that name files of vectors made before, a
    modality by any name. After #, the part of a file that is the clip's (docs/data.md)."""
    files: Path | None = None
    """Folder that paths in the table are relative to. None: the table's own folder."""
    task: TaskKind = "single_label"
    """single_label: a label is a class. multi_label: several classes in one cell. regression: a number."""
    encoding: str | None = None
    """How the table's text is encoded, such as cp1252. None: UTF-8, or what its byte order mark says."""
    separator: str = ","
    """multi_label: what stands between the classes of a cell."""
    test_share: float = 0.2
    """Without a split column: share of each class's clips to test on."""

    def folder(self, name: str) -> Path:
        """data/<name of the table>, unless told otherwise."""
        return self.out or Path("data") / self.source.stem


def listing(options: Options) -> Listing:
    """One clip a row, divided by group where the table has no split column."""
    table = read_rows(options.source, "--source is the table's path.", encoding=options.encoding)
    columns = _columns(options, table.columns)
    features = _pairs(options.features, "--features", "modality=column, such as flow=flow_file")
    for column in features.values():
        if column not in table.columns:
            raise unknown(f"column of {options.source.name}", column, table.columns)
    clips: list[Clip] = []
    problems: list[str] = []
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True), start=1):
        try:
            clips.append(_clip(row, number, columns, features, options))
        except (InputError, ValidationError) as error:
            reason = explain_row(error) if isinstance(error, ValidationError) else error
            problems.append(f"{options.source}:{line}: {reason}")
    if problems:
        raise InputError(f"{counted(len(problems), 'bad row')} in the table:\n" + shown(problems, "\n"))
    if "split" not in columns and clips:
        test, val = options.test_share, options.validation_share
        clips = split_by_group(clips, test_share=test, validation_share=val, seed=options.seed)
    return Listing(clips)


def _columns(options: Options, existing: Sequence[str]) -> dict[str, str]:
    """Field of a clip → column of the table.

    Raises:
        InputError: a pair that is none, an unknown field or column, no label, or no media and no text.
    """
    columns = {field: field for field in FIELDS if field in existing}
    for field, column in _pairs(options.columns, "--columns", "field=column, such as label=emotion").items():
        if field == "features":
            raise InputError(f"--columns features={column}: say --features MODALITY={column}.")
        if field not in FIELDS:
            raise unknown("field of a clip", field, FIELDS)
        columns[field] = column
    for column in [*columns.values(), *options.metadata]:
        if column not in existing:
            raise unknown(f"column of {options.source.name}", column, existing)
    if "label" not in columns:
        raise InputError(
            f"Which column is the label? Say --columns label=…; there are: {', '.join(existing)}."
        )
    if not (options.metadata or options.features) and not any(field in columns for field in PATHS):
        raise InputError(
            f"Nothing to see, hear or read: say --columns video=… (or audio, subtitles), --metadata … or "
            f"--features …; there are: {', '.join(existing)}."
        )
    return columns


def _pairs(given: Sequence[str], flag: str, example: str) -> dict[str, str]:
    """`name=column` of a flag.

    Raises:
        InputError: one that is no pair.
    """
    pairs = {}
    for pair in given:
        name, _, column = pair.partition("=")
        if not (name and column):
            raise InputError(f"{flag} takes pairs {example}; got '{pair}'.")
        pairs[name] = column
    return pairs


def _clip(
    row: Mapping[str, Any],
    number: int,
    columns: Mapping[str, str],
    features: Mapping[str, str],
    options: Options,
) -> Clip:
    """A row as a clip.

    Args:
        features: modality → column of the file of its vectors.
    """
    root = options.source.parent if options.files is None else options.files.expanduser().absolute()
    cells = {field: row[column] for field, column in columns.items() if not _empty(row[column])}
    texts = {field: stripped(_text(cell, field)) for field, cell in cells.items() if field != "label"}
    name = texts.get("id", f"{options.source.stem}_{number:06d}")
    split = split_named(texts["split"]) if "split" in cells else None
    if "split" in columns and split is None:
        raise InputError(f"split {texts.get('split', '')!r} is none of {', '.join(SPLITS)}")
    if "label" not in cells and options.task != "multi_label":
        raise InputError("the label is empty")
    if "group" in columns and "group" not in cells:
        raise InputError("the group is empty")
    values: dict[str, Any] = {field: str(root / texts[field]) for field in PATHS if field in cells}
    values |= {field: _number(cells[field], field) for field in SECONDS if field in cells}
    return Clip(
        id=name,
        label=_label(cells.get("label", ""), options),
        group=next((texts[field] for field in ("group", "video", "audio") if field in cells), name),
        split=split or "train",
        features={
            name: str(root / stripped(_text(row[column], name)))
            for name, column in features.items()
            if not _empty(row[column])
        },
        metadata={
            column: _text(row[column], column) for column in options.metadata if not _empty(row[column])
        },
        **values,
    )


def _empty(cell: Any) -> bool:
    """Nothing between the separators, null, or blanks alone."""
    return isinstance(cell, str) and not stripped(cell)


def _text(cell: Any, field: str) -> str:
    """The cell; of a JSON table, a list of texts is one text too."""
    parts = cell if isinstance(cell, list) else [cell]
    if not all(isinstance(part, str) for part in parts):
        raise InputError(f"{field} is an object or a list of them; write it as one text")
    return ", ".join(parts)


def _label(cell: Any, options: Options) -> str | tuple[str, ...] | float:
    if options.task == "regression":
        return _number(cell, "label")
    if options.task == "single_label":
        if not isinstance(cell, str):
            raise InputError("the label is a list or an object; several classes are --task multi_label")
        return cell
    parts = cell if isinstance(cell, list) else _text(cell, "label").split(options.separator)
    names = [_text(part, "label") for part in parts]
    return tuple(dict.fromkeys(tidy(name) for name in names if not _empty(name)))


def _number(cell: Any, field: str) -> float:
    try:
        return as_number(cell)
    except InputError as error:
        raise InputError(f"{field} {error}") from None


RECIPE = Recipe(
    name="table",
    title="Table of clips",
    options=Options,
    listing=listing,
)

if __name__ == "__main__":
    main(RECIPE)
