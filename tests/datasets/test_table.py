import json
from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare


@pytest.fixture(scope="module")
def table(load_recipe):
    return load_recipe("table")


def run(table, source, out, **options):
    return prepare(table.RECIPE, table.Options(source=source, out=out, **options))


@pytest.fixture
def write(tmp_path, make_files):
    """`write("t.csv", text)` also makes the ten files clips/0.mp4 … that the tables below name."""

    def to(name, text):
        make_files(tmp_path / "clips", [f"{i}.mp4" for i in range(10)])
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return to


def csv(header, *cells, separator=","):
    return "".join(separator.join(row) + "\n" for row in [header, *cells])


def test_columns_are_mapped_and_splits_read_in_usual_spellings(table, tmp_path, rows, write):
    parts = ["training"] * 6 + ["dev"] * 2 + ["TEST"] * 2
    lines = [
        (f"u{i}", f"clips/{i}.mp4", "joy" if i % 2 else "007", f"d{i}", part, "1.5", "3", "Hello, NA")
        for i, part in enumerate(parts)
    ]
    header = ("utterance", "path", "emotion", "dialogue", "part", "begin", "end", "text")
    text = csv(header, *lines, separator="\t")
    source = write("t.tsv", text)
    columns = ("id=utterance", "video=path", "label=emotion", "group=dialogue", "split=part", "start=begin")
    outcome = run(table, source, tmp_path / "out", columns=columns, metadata=("text",), check=True)
    clips = rows(outcome)
    clip = clips["u0"]
    assert (clip.label, clip.group, clip.split, clip.video) == ("007", "d0", "train", "../clips/0.mp4")
    assert (clip.start, clip.end, clip.metadata) == (1.5, 3.0, {"text": "Hello, NA"})
    assert Counter(c.split for c in clips.values()) == {"train": 6, "val": 2, "test": 2}
    assert outcome.problems == []


def test_without_splits_rows_are_divided_by_group(table, tmp_path, rows, write):
    lines = [(f"clips/{i // 2}.mp4", "ab"[i % 2], str(i % 2), str(i % 2 + 1)) for i in range(20)]
    source = write("t.csv", csv(("video", "label", "start", "end"), *lines))
    clips = rows(run(table, source, tmp_path / "out", check=True)).values()
    splits = {clip.group: clip.split for clip in clips}
    assert len(splits) == 10
    assert all(splits[clip.group] == clip.split for clip in clips)
    assert Counter(splits.values())["test"] == 2


def test_several_labels_in_a_cell_or_a_list(table, tmp_path, rows, write):
    cells = ["rain; wind", "wind", "", "rain;rain ;wind", "rain"] * 2
    source = write("t.csv", csv(("video", "label"), *[(f"clips/{i}.mp4", c) for i, c in enumerate(cells)]))
    options = {"task": "multi_label", "separator": ";", "validation_share": 0.2}
    clips = list(rows(run(table, source, tmp_path / "out", **options)).values())
    assert [clip.label for clip in clips[:4]] == [("rain", "wind"), ("wind",), (), ("rain", "wind")]
    lists = [{"video": f"clips/{i}.mp4", "label": ["rain"] if i % 2 else []} for i in range(10)]
    source = write("t.jsonl", "\n".join(map(json.dumps, lists)))
    clips = list(rows(run(table, source, tmp_path / "out2", **options)).values())
    assert [clip.label for clip in clips[:2]] == [(), ("rain",)]


def test_numbers_as_labels(table, tmp_path, rows, write):
    lines = [(f"clips/{i}.mp4", str(i / 2 - 2)) for i in range(10)]
    source = write("t.csv", csv(("video", "label"), *lines))
    outcome = run(table, source, tmp_path / "out", task="regression", check=True)
    assert [clip.label for clip in rows(outcome).values()][:3] == [-2.0, -1.5, -1.0]
    assert outcome.problems == []


def test_paths_may_be_relative_to_another_folder_and_missing_files_are_counted(
    table, tmp_path, rows, write, make_files
):
    lines = [(f"{i}.mp4", "a") for i in range(11)]
    source = write("t.csv", csv(("video", "label"), *lines))
    outcome = run(table, source, tmp_path / "out", files=tmp_path / "clips", check=True)
    assert len(rows(outcome)) == 10
    assert list(outcome.missing) == ["t_000011"]
    assert "1 of 11 listed clips has no file" in outcome.problems[0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("label",), "takes pairs field=column"),
        (("lable=emotion",), "Unknown field of a clip 'lable'. Did you mean 'label'"),
        (("label=emotions",), r"Unknown column of t\.csv 'emotions'. Did you mean 'emotion'"),
        ((), "Which column is the label"),
        (("label=emotion",), "Nothing to see, hear or read"),
        (("label=emotion", "video=path"), r"t.csv:3: the label is empty"),
        (("label=path", "video=path", "split=part"), r"t.csv:2: split 'eval' is none of train, val, test"),
        (("label=path", "video=path", "start=part"), r"t.csv:2: start 'eval' is no number"),
        (
            ("label=path", "video=path", "start=from", "end=to"),
            r"t.csv:2: end 1\.0 must be later than start 2\.0",
        ),
    ],
)
def test_mistakes_are_named(table, tmp_path, write, columns, message):
    header = ("path", "emotion", "part", "from", "to")
    lines = [("clips/0.mp4", "joy", "eval", "2", "1"), ("clips/1.mp4", "", "test", "0", "1")]
    source = write("t.csv", csv(header, *lines))
    with pytest.raises(InputError, match=message):
        run(table, source, tmp_path / "out", columns=columns)


def test_unreadable_tables_are_refused(table, tmp_path, write):
    with pytest.raises(InputError, match="cannot be read as a table"):
        run(table, write("t.csv", ""), tmp_path / "out")
    with pytest.raises(InputError, match=r"t\.jsonl:1 is not JSON"):
        run(table, write("t.jsonl", '{"label": '), tmp_path / "out")


def test_blanks_at_the_ends_of_labels_make_no_classes(table, tmp_path, rows, write):
    cells = ["run", "run ", " run", "caf\u00e9", "cafe\u0301"] * 2
    source = write("t.csv", csv(("video", "label"), *[(f"clips/{i}.mp4 ", c) for i, c in enumerate(cells)]))
    outcome = run(table, source, tmp_path / "out")
    assert {clip.label for clip in rows(outcome).values()} == {"run", "café"}
    assert "3 names had blanks at their ends or letters in another Unicode form" in outcome.summary(
        checked=False
    )
    assert "'run '" in outcome.summary(checked=False)


def test_rows_wider_than_the_head_name_their_line(table, tmp_path, write):
    source = write("t.csv", "video,label,title\nclips/0.mp4,run,note 1,hello\n")
    with pytest.raises(InputError, match=r"t\.csv:2 .* has 4 cells and the head has 3 columns"):
        run(table, source, tmp_path / "out")


def test_whole_numbers_in_json_stay_whole(table, tmp_path, rows, write):
    lines = [
        f'{{"video": "clips/{i}.mp4", "label": {i % 2}, "group": {1234567890123456789 + i}, "year": 2000}}'
        for i in range(10)
    ]
    lines[9] = lines[9].replace(', "year": 2000', "")
    outcome = run(table, write("t.jsonl", "\n".join(lines)), tmp_path / "out", metadata=("year",))
    clips = list(rows(outcome).values())
    assert (clips[0].label, clips[0].group, clips[0].metadata) == (
        "0",
        "1234567890123456789",
        {"year": "2000"},
    )
    assert len({clip.group for clip in clips}) == 10
    assert clips[9].metadata == {}


def test_nested_json_values_are_texts_or_refused(table, tmp_path, rows, write):
    row = {"video": "clips/0.mp4", "label": "a", "split": "train", "tags": ["x", "y"]}
    lines = [
        row,
        row | {"video": "clips/1.mp4", "split": "val"},
        row | {"video": "clips/2.mp4", "split": "test"},
    ]
    source = write("t.json", json.dumps(lines))
    outcome = run(table, source, tmp_path / "out", metadata=("tags",))
    assert {clip.metadata["tags"] for clip in rows(outcome).values()} == {"x, y"}
    for change, message in [
        ({"label": ["a", "b"]}, "several classes are --task multi_label"),
        ({"tags": {"a": 1}}, "tags is an object"),
        ({"start": "1,5"}, r"start '1,5' is no number. Write a point"),
        ({"label": "a\u0000"}, "control characters"),
    ]:
        source = write("t.json", json.dumps([*lines, row | change]))
        with pytest.raises(InputError, match=rf"t\.json:4: .*{message}"):
            run(table, source, tmp_path / "out", metadata=("tags",))


def test_another_encoding_is_read_where_it_is_named(table, tmp_path, rows, write):
    source = write("t.csv", "")
    lines = "".join(f"clips/{i}.mp4;größer\n" for i in range(10))
    source.write_bytes(f"video;label\n{lines}".encode("cp1252"))
    with pytest.raises(InputError, match=r"t\.csv:2 is not in UTF-8"):
        run(table, source, tmp_path / "out")
    outcome = run(table, source, tmp_path / "out", encoding="cp1252")
    assert {clip.label for clip in rows(outcome).values()} == {"größer"}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"id": "a\x01"}, r"id: must have no control characters.*got 'a\\x01'"),
        ({"start": "-1"}, r"start: Input should be greater than or equal to 0 \(got -1\.0\)"),
        ({"start": "nan"}, "start: Input should be a finite number"),
        ({"video": "clips/\x02"}, "group: must have no control characters.*; video: must have"),
        ({"end": "x"}, "end 'x' is no number"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_its_column(table, tmp_path, write, cell, said):
    row = {"id": "a", "label": "x", "video": "clips/0.mp4", "start": "", "end": ""} | cell
    source = write("t.csv", csv(tuple(row), tuple(row.values())))
    with pytest.raises(InputError, match=rf"^1 bad row in the table:\n.*t\.csv:2: {said}"):
        run(table, source, tmp_path / "out")


def test_columns_may_name_files_of_features(table, tmp_path, rows, write):
    """Until now the only way was to write the manifest by hand."""
    (tmp_path / "flow.csv").write_text("1,2\n3,4\n")
    lines = [(f"v{i}", "ab"[i % 2], f"flow.csv#{i % 2}" if i else "") for i in range(10)]
    source = write("t.csv", csv(("id", "label", "vectors"), *lines))
    with pytest.raises(InputError, match="say --features MODALITY=vectors"):
        run(table, source, tmp_path / "out", columns=("features=vectors",))
    with pytest.raises(InputError, match=r"Unknown column of t\.csv 'vector'\. Did you mean 'vectors'"):
        run(table, source, tmp_path / "out", features=("flow=vector",))
    with pytest.raises(InputError, match=r"--features takes pairs modality=column.*got 'flow'"):
        run(table, source, tmp_path / "out", features=("flow",))
    with pytest.raises(InputError, match="needs at least one of video"):
        run(table, source, tmp_path / "out", features=("flow=vectors",))
    source = write("t.csv", csv(("id", "label", "vectors"), *lines[1:]))
    clips = rows(run(table, source, tmp_path / "out", features=("flow=vectors",)))
    assert clips["v3"].features == {"flow": "../flow.csv#1"}
    assert clips["v3"].group == "v3"
