"""The one reader of tables: cells as they were written, or an error that names the line."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmvideo.clips.names import noticing
from mmvideo.errors import InputError
from mmvideo.recipes import Table, number, read_json, read_list, read_rows


def table(folder: Path, name: str, content: str | bytes, **options: Any) -> Table:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_rows(folder / name, "", **options)


def noticed(folder: Path, name: str, content: str | bytes) -> tuple[Table, list[str]]:
    with noticing() as found:
        made = table(folder, name, content)
    return made, [f"{what}: {', '.join(names)}" for what, names in found.items()]


@pytest.mark.parametrize(
    "content",
    [
        "video,label\na.mp4,café\n",
        "\ufeffvideo,label\r\na.mp4,café\r\n",
        "video,label\ra.mp4,café",
        "sep=;\nvideo;label\na.mp4;café\n",
        '"sep=|"\r\nvideo|label\r\na.mp4|café\r\n',
        "video;label\na.mp4;café\n",
        "video\tlabel\na.mp4\tcafé\n",
        "video|label\na.mp4|café\n",
        " video ,label \na.mp4,café\n",
        '"video","label"\n"a.mp4","café"\n\n  \n',
        "video,label\na.mp4,café\n,\n",
        *("video,label\na.mp4,café\n".encode(name) for name in ("utf-16", "utf-32", "utf-8-sig")),
        codecs.BOM_UTF16_BE + "video,label\na.mp4,café\n".encode("utf-16-be"),
    ],
)
def test_however_it_was_saved(tmp_path: Path, content: str | bytes) -> None:
    made = table(tmp_path, "t.csv", content)
    assert made.columns == ("video", "label")
    assert made.rows == [{"video": "a.mp4", "label": "café"}]


def test_cells_are_not_interpreted(tmp_path: Path) -> None:
    cells = [
        "007",
        "1e3",
        "NA",
        "nan",
        "None",
        "",
        "true",
        "1,5",
        " x ",
        "1234567890123456789",
        'say "hi"\nyou',
    ]
    text = "a,b\n" + "".join(f'{n},"{cell.replace(chr(34), chr(34) * 2)}"\n' for n, cell in enumerate(cells))
    made = table(tmp_path, "t.csv", text)
    assert [row["b"] for row in made.rows] == cells
    assert made.lines == [*range(2, 13)]
    assert table(tmp_path, "t.csv", text + "after,it\n").lines[-1] == 14  # the last cell spans two lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("video,label,title\na.mp4,run,note 1,hello\n", r"t\.csv:2 .* has 4 cells and the head has 3"),
        ("video,label\na.mp4,run\n\nb.mp4\n", r"t\.csv:4 .* has 1 cells and the head has 2"),
        ("sep=;\nvideo;label\na.mp4;run;x\n", r"t\.csv:3 .* has 3 cells"),
        ('video,label\n"a\nb",run\nc,"run\nd,run\n', r"t\.csv:4 .*unexpected end of data.*double quote"),
        ('video,label\n"a"b,run\n', r"t\.csv:2 .*double quote"),
        ("label,label\na,b\n", r"columns label stand twice"),
        ("label,label \na,b\n", r"columns label stand twice"),
        ("", "it is empty"),
        (
            b"video,label\na.mp4,caf\xe9\n",
            r"t\.csv:2 is not in UTF-8, at 'a\.mp4,café' \(as Latin-1 reads it\)",
        ),
        ("a,b\n1,2\n".encode("utf-16-le"), "no text, or UTF-16 without its mark"),
        (b"PK\x03\x04\x00\x00\xff", "no text"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        table(tmp_path, "t.csv", content)


def test_an_encoding_is_named_and_never_guessed(tmp_path: Path) -> None:
    content = "video,label\na.mp4,бег\n".encode("cp1251")
    assert table(tmp_path, "t.csv", content, encoding="cp1251").rows[0]["label"] == "бег"
    with pytest.raises(InputError, match="'cp9' is no encoding"):
        table(tmp_path, "t.csv", content, encoding="cp9")


def test_what_was_read_otherwise_than_it_stands_is_told(tmp_path: Path) -> None:
    made, told = noticed(tmp_path, "t.csv", "cafe\u0301 ;label\nx;y\n;\n ; \n")
    assert made.columns == ("café", "label")
    assert made.rows == [{"café": "x", "label": "y"}]
    assert [line.partition(":")[2] for line in told] == [" t.csv (';')", " 'cafe\u0301 '", " t.csv (2 rows)"]
    assert noticed(tmp_path, "t.tsv", "a\tb\n1\t2\n")[1] == []


def test_a_column_without_a_head_is_called_by_its_place(tmp_path: Path) -> None:
    """As pandas writes its index."""
    assert table(tmp_path, "t.csv", ",label\n0,run\n").columns == ("column 1", "label")


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_json_values_as_they_are_written(tmp_path: Path, name: str) -> None:
    lines = [
        '{"label": 0, "group": 1234567890123456789, "year": 2000, "x": 1.50, "on": true, "no": null}',
        '{"label": 1, "group": 1234567890123456790, "x": NaN, "tags": ["a", false, 2], "of": "\u2028"}',
    ]
    made = table(tmp_path, name, "\n\n".join(lines) if name == "t.jsonl" else f"[{','.join(lines)}]")
    first, second = made.rows
    assert first == {
        "label": "0",
        "group": "1234567890123456789",
        "year": "2000",
        "x": "1.50",
        "on": "true",
        "no": "",
        "tags": "",
        "of": "",
    }
    assert second == {
        "label": "1",
        "group": "1234567890123456790",
        "year": "",
        "x": "",
        "on": "",
        "no": "",
        "tags": ["a", "false", "2"],
        "of": "\u2028",
    }
    assert made.lines == ([1, 3] if name == "t.jsonl" else [1, 2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", '{"a": 1}\n[1]\n', r"t\.jsonl:2 .*expected an object"),
        ("t.jsonl", '{"a": 1}\n{"a": \n', r"t\.jsonl:2 is not JSON"),
        ("t.jsonl", '{"a": 1, "a": 2}\n', r"t\.jsonl:1 .*'a' stands twice"),
        ("t.jsonl", '{"a": 1, "a ": 2}\n', r"columns a stand twice"),
        ("t.json", '{"a": 1}', "expected a list of objects"),
        ("t.json", "[" * 100_000, "is not JSON"),
    ],
)
def test_json_that_is_no_table(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(tmp_path, name, content)


def test_lists_and_other_json_go_through_the_same_reader(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("a \n\nb\n", encoding="utf-16")
    assert read_list(tmp_path / "l.txt", "") == ["a", "b"]
    (tmp_path / "x.json").write_text('{"n": 12345678901234567890, "on": true}')
    assert read_json(tmp_path / "x.json", "") == {"n": "12345678901234567890", "on": True}
    with pytest.raises(InputError, match=r"There is no .*y\.json\. Do this\."):
        read_json(tmp_path / "y.json", "Do this.")


def test_numbers() -> None:
    assert [number(cell) for cell in ("1.5", " 2 ", "-1e3")] == [1.5, 2.0, -1000.0]
    for cell in ("1_000", "", "x", ["1"], "1,5"):
        with pytest.raises(InputError, match="is no number" + (r"\. Write a point" if cell == "1,5" else "")):
            number(cell)


@pytest.mark.fuzz
@given(st.binary(max_size=200), st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.json"]))
@example(b'"', "t.csv")
@example(b"sep=\n\n", "t.csv")
@example(b"a\n" + b"x" * 140_000, "t.csv")
@example(b'{"a": -Infinity}', "t.jsonl")
@example(b'{"a": "\\ud800"}', "t.jsonl")
def test_any_bytes_are_a_table_or_an_input_error(tmp_path_factory: Any, content: bytes, name: str) -> None:
    _is_a_table_or_refused(tmp_path_factory.getbasetemp(), name, content)


CELLS = st.text(st.sampled_from('ab,;\t|"\n\r é0'), max_size=6)


@pytest.mark.fuzz
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(",;\t|"))
def test_any_cells_are_a_table_or_an_input_error(tmp_path_factory: Any, rows: Any, separator: str) -> None:
    text = "\n".join(separator.join(row) for row in rows)
    _is_a_table_or_refused(tmp_path_factory.getbasetemp(), "c.csv", text.encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.fuzz
@given(st.lists(VALUES, max_size=3))
def test_any_json_is_a_table_or_an_input_error(tmp_path_factory: Any, values: list[Any]) -> None:
    _is_a_table_or_refused(
        tmp_path_factory.getbasetemp(), "v.jsonl", "\n".join(map(json.dumps, values)).encode()
    )


def _is_a_table_or_refused(folder: Path, name: str, content: bytes) -> None:
    try:
        made = table(folder, name, content)
    except InputError as error:
        assert name in str(error)  # noqa: PT017
        return
    assert len(set(made.columns)) == len(made.columns) > 0
    assert all(tuple(row) == made.columns for row in made.rows)
    assert len(made.lines) == len(made.rows)
    assert made.lines == sorted(set(made.lines))


def test_the_letter_that_is_in_no_utf_8_is_shown_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"x" * 300 + b"caf\xe9," + b"y" * 300 + b"\nlast,1\n")
    with pytest.raises(InputError, match=r"t\.csv:2 is not in UTF-8, at 'x{27}café,y{28}' \("):
        read_rows(tmp_path / "t.csv", "")
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\xe9")
    with pytest.raises(InputError, match=r"t\.csv:2 is not in UTF-8, at '1,é' \("):
        read_rows(tmp_path / "t.csv", "")
