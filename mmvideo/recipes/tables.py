"""The one reader of lists, tables and JSON for all recipes: cells as they were written.

Nothing becomes a number, nothing is taken for missing, no column shifts: "007" and "NA" stay, an id of
64 bits keeps its last digit, and a row with more or fewer cells than the head is an error with its line.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmvideo.clips.names import notice, stripped, tidy
from mmvideo.errors import InputError
from mmvideo.vocabulary import counted

BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATORS = (",", "\t", ";", "|")
SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)
"""The first line of tables that are meant for Excel."""
JSON_LINES = (".jsonl", ".ndjson")
SHOWN = 60
"""Characters of a cell or line that a message shows."""


@dataclass(frozen=True)
class Table:
    """The rows of a table that hold anything."""

    path: Path
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    """Column → cell, for every column: a text ("" for nothing); of JSON, also a list or object."""
    lines: list[int]
    """The line of the file that each row begins in (its place, in a JSON list)."""

    def require(self, columns: Iterable[str]) -> None:
        """Raises InputError if the table lacks any of them."""
        if lacking := sorted(set(columns) - set(self.columns)):
            raise InputError(
                f"{self.path} lacks the columns {', '.join(lacking)}; it has {', '.join(self.columns)}."
            )


def read_text(path: Path, advice: str, encoding: str | None = None) -> str:
    """A text file's content: UTF-8, or what its byte order mark says, or `encoding`.

    An encoding is never guessed: on tables, guesses are wrong too often to go unseen.

    Args:
        advice: what to do if it is not there, such as "Unpack X.zip into Y."

    Raises:
        InputError: there is no such file, it is no text, or it is in another encoding.
    """
    if not path.is_file():
        raise InputError(f"There is no {path}. {advice}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    named = encoding or next((name for mark, name in BOMS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(named)
    except LookupError as error:
        raise InputError(
            f"'{encoding}' is no encoding that Python knows, such as utf-8 or latin-1."
        ) from error
    except UnicodeDecodeError as error:
        if b"\0" in raw:
            raise _no_text(path) from error
        line = raw[: error.start].count(b"\n") + 1
        shown = _around(raw, error.start).decode("latin-1").strip()
        raise InputError(
            f"{path}:{line} is not in {named.upper()}, at {shown!r} (as Latin-1 reads it). If that is right, "
            "save the file as UTF-8: iconv -f latin1 -t utf-8. Otherwise name the encoding it was written in."
        ) from error
    if "\0" in text:
        raise _no_text(path)
    return text.removeprefix("\ufeff")


def _around(raw: bytes, at: int) -> bytes:
    """The part of a line in which a byte stands: of a long one, as much before it as behind it."""
    begin, end = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at) % (len(raw) + 1)
    begin = max(begin, min(at - SHOWN // 2, end - SHOWN))
    return raw[begin : min(end, begin + SHOWN)]


def _no_text(path: Path) -> InputError:
    return InputError(
        f"{path} is no text, or UTF-16 without its mark. Save a spreadsheet as CSV in UTF-8, a text as UTF-8."
    )


def read_list(path: Path, advice: str) -> list[str]:
    """The non-blank lines of a text file, stripped. Raises InputError as `read_text` does."""
    return [line.strip() for line in read_text(path, advice).splitlines() if line.strip()]


def read_json(path: Path, advice: str) -> Any:
    """What a JSON file holds, its numbers as texts, as they are written.

    Raises:
        InputError: there is no such file, or it is no JSON.
    """
    return _json(read_text(path, advice), str(path))


def read_rows(
    path: Path,
    advice: str,
    *,
    separator: str | None = None,
    names: Sequence[str] = (),
    encoding: str | None = None,
) -> Table:
    """A table: JSON Lines (.jsonl, .ndjson), a list of JSON objects (.json), or cells between separators.

    What separates them is `separator`, or what Excel's line `sep=;` says, or of comma, tab, semicolon and bar
    the one that divides the head into most columns. Heads are tidied (`mmvideo.clips.names`); cells are not.

    Args:
        names: the columns of a file without a head.

    Raises:
        InputError: there is no such file, or it is no table: a row with more or fewer cells than the head,
            a column or key given twice, an open quote. The message names file and line.
    """
    suffix = path.suffix.lower()
    text = read_text(path, advice, encoding)
    if suffix in JSON_LINES:
        lines = ((n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip())
        found = _from_objects(path, ((n, _json(line, f"{path}:{n}")) for n, line in lines))
    elif suffix == ".json":
        content = _json(text, str(path))
        if not isinstance(content, list):
            raise InputError(
                f"{path} cannot be read as a table: expected a list of objects, one for each row."
            )
        found = _from_objects(path, enumerate(content, start=1))
    else:
        found = _from_cells(path, text, separator, names)
    if not found.columns:
        raise InputError(f"{path} cannot be read as a table: it is empty.")
    return found


def number(cell: Any) -> float:
    """The cell as a number; Python's `1_000` is none. Raises InputError."""
    try:
        if "_" in cell:
            raise ValueError
        return float(cell)
    except (TypeError, ValueError):
        hint = " Write a point, not a comma." if re.fullmatch(r"\s*-?\d+,\d+\s*", str(cell)) else ""
        raise InputError(f"{str(cell)[:SHOWN]!r} is no number.{hint}") from None


def _from_cells(path: Path, text: str, separator: str | None, names: Sequence[str]) -> Table:
    first, _, rest = text.partition("\n")
    said = SEPARATOR_LINE.fullmatch(first)
    if said:
        text = rest
    separator = separator or (said[1] if said else "," if names else _separator(path, text))
    records = _records(path, text, separator, 1 + bool(said))
    _, head = (1, list(names)) if names else next(records, (1, []))
    columns = _columns(path, head)
    table = Table(path, columns, [], [])
    blank = 0
    for line, cells in records:
        if len(cells) != len(columns):
            raise InputError(
                f"{path}:{line} cannot be read as a table: it has {len(cells)} cells and the head has "
                f"{len(columns)} columns ({', '.join(columns)[:SHOWN]}). Put cells that hold a "
                f"{separator!r} in double quotes, and give each row as many cells as the head."
            )
        if not any(map(stripped, cells)):
            blank += 1
            continue
        table.rows.append(dict(zip(columns, cells, strict=True)))
        table.lines.append(line)
    if blank:
        rows = counted(blank, "row")
        notice("tables have rows without anything in them, which are left out", f"{path.name} ({rows})")
    return table


def _separator(path: Path, text: str) -> str:
    """What divides the head into most columns; of several, the one that the file's name stands for."""
    usual = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","

    def columns(separator: str) -> int:
        try:
            return len(next(_records(path, text, separator, 1), (1, []))[1])
        except InputError:
            return 0

    found = max((usual, *SEPARATORS), key=columns)
    if found != usual:
        notice(
            "tables have another separator than the file's name says, and were read by it",
            f"{path.name} ({found!r})",
        )
    return found


def _records(path: Path, text: str, separator: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not a blank line, with the line it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    offset = line
    while True:
        begins = reader.line_num + offset
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}:{begins} cannot be read as a table: {error}. A cell that begins with a double quote "
                'ends with one, and has "" for each inside.'
            ) from error
        if cells and (len(cells) > 1 or stripped(cells[0])):
            yield begins, cells


def _columns(path: Path, head: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(tidy(name) or f"column {place}" for place, name in enumerate(head, start=1))
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: the columns {', '.join(twice)} stand twice in its head. Rename one of each."
        )
    return columns


def _from_objects(path: Path, records: Iterable[tuple[int, Any]]) -> Table:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for line, record in records:
        if not isinstance(record, dict):
            raise InputError(
                f'{path}:{line} cannot be read as a table: expected an object such as {{"label": …}}, got '
                f"{str(record)[:SHOWN]!r}."
            )
        columns = _columns(path, list(record))
        rows.append(dict(zip(columns, map(_cell, record.values()), strict=True)))
        lines.append(line)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(path, names, [{name: row.get(name, "") for name in names} for row in rows], lines)


def _cell(value: Any) -> Any:
    """The value as it is written; "" for nothing."""
    if isinstance(value, list):
        return [_cell(part) for part in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_constant, object_pairs_hook=_object
        )
    except InputError as error:
        raise InputError(f"{where} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}.") from error


def _constant(name: str) -> str | None:
    """NaN is how pandas writes that there is nothing."""
    return None if name == "NaN" else name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object. Raises InputError for a key given twice, of which one value would be lost."""
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise InputError(f"'{twice[0]}' stands twice in one object. Keep one.")
    return dict(pairs)
