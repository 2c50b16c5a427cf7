import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmvideo.clips.manifest import Clip, check_files, natural_key, read_manifest, write_manifest
from mmvideo.errors import InputError

ROW = {"id": "a", "label": "run", "group": "g", "split": "train", "video": "a.mp4"}


def write(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_round_trip_keeps_every_field(tmp_path):
    clips = [
        Clip(id="ü 1", label="10", group="g", split="train", video="a b.mp4", start=0.0, end=1.5),
        Clip(id="2", label="9", group="h", split="val", metadata={"title": "x\ny"}),
        Clip(id="3", label="9", group="i", split="test", audio="/abs/a.wav", subtitles="s.srt"),
    ]
    write_manifest(tmp_path / "deep" / "m.jsonl", clips)
    manifest = read_manifest(tmp_path / "deep" / "m.jsonl")
    assert list(manifest.clips) == clips
    assert manifest.classes == ("9", "10")
    assert manifest.split("val") == (clips[1],)
    assert manifest.path(clips[0], "video") == tmp_path / "deep" / "a b.mp4"
    assert str(manifest.path(clips[2], "audio")) == "/abs/a.wav"
    assert manifest.path(clips[2], "video") is None
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["m.jsonl"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"id": ', "m.jsonl:2: not JSON"),
        (ROW | {"vidio": "x"}, "m.jsonl:2: unknown column 'vidio'. Did you mean 'video'"),
        (ROW | {"label": True}, r"m.jsonl:2: label: must be a non-empty string, .* number .*got True"),
        (ROW | {"label": ""}, r"m.jsonl:2: label: must be a non-empty string"),
        (ROW | {"label": ["run", "run"]}, r"m.jsonl:2: label: .*list of different ones"),
        (ROW | {"id": "b", "label": 3}, r"m.jsonl:2: label 3.0 is for regression, but the first .*'run'"),
        (ROW | {"id": "b", "label": ["run"]}, r"m.jsonl:2: label \('run',\) is for multi_label"),
        (ROW | {"split": "dev"}, "m.jsonl:2: split: .*'train', 'val' or 'test'"),
        ({k: v for k, v in ROW.items() if k != "group"}, "m.jsonl:2: column 'group' is missing"),
        ({k: v for k, v in ROW.items() if k != "video"}, "at least one of video, audio, subtitles, metadata"),
        (ROW | {"start": 2.0, "end": 1.0}, "end 1.0 must be later than start 2.0"),
        (ROW | {"start": -1.0}, "start: .*greater than or equal to 0"),
        (ROW | {"id": "b\x1b[2J"}, r"m.jsonl:2: id: must have no control characters"),
        (ROW | {"id": "b", "label": "r\x07n"}, r"m.jsonl:2: label: must have no control characters"),
        (ROW | {"id": "b", "video": "a\0.mp4"}, r"m.jsonl:2: video: must have no control characters"),
        (ROW | {"id": " "}, "m.jsonl:2: id: "),
        (ROW | {"id": "b", "label": 10**400}, "m.jsonl:2: label: must be"),
        (ROW | {"id": "b", "label": 1e300}, "m.jsonl:2: label: must be .* below 1e"),
        (ROW | {"id": "a "}, "m.jsonl:2: id 'a' stands in line 1 already"),
        (ROW, "m.jsonl:2: id 'a' stands in line 1 already"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_manifest(write(tmp_path / "m.jsonl", ROW, row))


def test_five_bad_rows_are_shown_and_the_rest_counted(tmp_path):
    path = write(tmp_path / "m.jsonl", *["{}"] * 8)
    with pytest.raises(InputError, match="8 bad row") as caught:
        read_manifest(path)
    assert "m.jsonl:5:" in str(caught.value)
    assert "m.jsonl:6:" not in str(caught.value)
    assert "and 3 more" in str(caught.value)


def test_absent_empty_and_undecodable_manifests_are_refused(tmp_path):
    with pytest.raises(InputError, match="no manifest at"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="lists no clips"):
        read_manifest(write(tmp_path / "empty.jsonl", "", "  "))
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_manifest(tmp_path / "latin.jsonl")


def test_check_files_counts_what_is_missing(tmp_path):
    (tmp_path / "a.mp4").touch()
    rows = [ROW | {"id": f"c{i}", "video": "a.mp4", "subtitles": f"{i}.srt"} for i in range(7)]
    manifest = read_manifest(write(tmp_path / "m.jsonl", *rows))
    with pytest.raises(InputError, match="7 of 14 files") as caught:
        check_files(manifest)
    assert "4.srt" in str(caught.value)
    assert "5.srt" not in str(caught.value)
    assert "and 2 more" in str(caught.value)
    for i in range(7):
        (tmp_path / f"{i}.srt").touch()
    check_files(manifest)


def test_names_are_one_form_and_it_is_told(tmp_path, capsys):
    rows = [
        ROW | {"label": "café"},
        ROW | {"id": "b\u00a0", "label": "cafe\u0301"},
        ROW | {"id": "c", "label": "café "},
    ]
    assert read_manifest(write(tmp_path / "m.jsonl", *rows)).classes == ("café",)
    assert "m.jsonl: 3 names had blanks at their ends" in capsys.readouterr().err
    rows = [ROW | {"id": "u\u0308"}, ROW | {"id": "ü"}]
    with pytest.raises(InputError, match=r"m\.jsonl:2: id 'ü' stands in line 1 already"):
        read_manifest(write(tmp_path / "m.jsonl", *rows))


def test_what_a_message_shows_of_a_row_has_an_end(tmp_path):
    with pytest.raises(InputError) as caught:
        read_manifest(write(tmp_path / "m.jsonl", ROW | {"x" * 100_000: 1}, ROW | {"start": "y" * 100_000}))
    assert len(str(caught.value)) < 2000


@pytest.mark.fuzz
@given(st.binary(max_size=200))
@example(b'{"label": 1e999}')
@example(b'{"id": "\\ud800"}')
@example(b"[" * 5000)
def test_any_bytes_are_a_manifest_or_an_input_error(tmp_path_factory, content):
    _is_a_manifest_or_refused(tmp_path_factory.getbasetemp() / "any.jsonl", content)


VALUES = (
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2)
)
ROWS = st.fixed_dictionaries(
    {"id": st.text(max_size=3), "group": st.just("g"), "split": st.just("test"), "label": VALUES},
    optional={
        "video": st.text(max_size=4),
        "start": VALUES,
        "metadata": st.dictionaries(st.text(max_size=3), VALUES),
    },
)


@pytest.mark.fuzz
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_any_rows_are_a_manifest_or_an_input_error(tmp_path_factory, values):
    content = "\n".join(map(json.dumps, values)).encode()
    _is_a_manifest_or_refused(tmp_path_factory.getbasetemp() / "rows.jsonl", content)


def _is_a_manifest_or_refused(path, content):
    path.write_bytes(content)
    try:
        manifest = read_manifest(path)
    except InputError:
        return
    write_manifest(path, manifest.clips)
    assert read_manifest(path).clips == manifest.clips


def test_natural_order_has_no_longest_number():
    assert sorted(["1" * 5000, "2", "٣"], key=natural_key) == ["2", "٣", "1" * 5000]


def test_natural_order():
    labels = ["10", "9", "a10", "a9", "b", "01", "1"]
    assert sorted(labels, key=natural_key) == ["01", "1", "9", "10", "a9", "a10", "b"]


@given(st.lists(st.text("0129aé ٣²", max_size=6)))
def test_natural_order_is_total(labels):
    once = sorted(labels, key=natural_key)
    backwards = once[::-1]
    assert sorted(backwards, key=natural_key) == once
