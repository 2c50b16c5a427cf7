import json

import pytest
from hypothesis import given
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


def test_natural_order():
    labels = ["10", "9", "a10", "a9", "b", "01", "1"]
    assert sorted(labels, key=natural_key) == ["01", "1", "9", "10", "a9", "a10", "b"]


@given(st.lists(st.text("0129aé ٣²", max_size=6)))
def test_natural_order_is_total(labels):
    once = sorted(labels, key=natural_key)
    backwards = once[::-1]
    assert sorted(backwards, key=natural_key) == once
