from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.recipes import (
    metadata_beside,
    number_repeats,
    overlapping,
    read_list,
    read_rows,
    safe_name,
    split_by_group,
    split_named,
    videos_by_stem,
)

GROUPS = st.dictionaries(
    st.integers(0, 30).map(str), st.lists(st.sampled_from("ab"), min_size=1, max_size=4), min_size=12
)


def clip(name, label="a", group="g", split="train"):
    return Clip(id=name, label=label, group=group, split=split, video="v.mp4")


@given(GROUPS, st.integers(0, 3))
def test_no_group_is_divided_and_every_class_can_be_trained(groups, seed):
    clips = [clip(f"{g}-{i}", label, g) for g, labels in groups.items() for i, label in enumerate(labels)]
    divided = split_by_group(clips, test_share=0.2, validation_share=0.2, seed=seed)
    assert [c.id for c in divided] == [c.id for c in clips]
    places = {c.group: c.split for c in divided}
    assert all(places[c.group] == c.split for c in divided)
    assert {c.split for c in divided} == {"train", "val", "test"}
    assert {c.label for c in divided} == {c.label for c in divided if c.split == "train"}


@pytest.mark.parametrize(("test", "validation"), [(0.6, 0.4), (0.0, 0.0), (1.2, 0.1)])
def test_shares_must_leave_something_to_train_on(test, validation):
    with pytest.raises(InputError, match="leave nothing for train"):
        split_by_group([clip("x")], test_share=test, validation_share=validation, seed=0)


def test_too_few_groups_are_named():
    with pytest.raises(InputError, match="3 clips in 1 groups cannot be divided into train, val and test"):
        split_by_group([clip(name) for name in "xyz"], test_share=0.2, validation_share=0.2, seed=0)


def test_overlap_is_taken_from_train_before_val_and_never_from_test():
    rows = [
        ("1", "x", "train"),
        ("2", "x", "val"),
        ("3", "x", "test"),
        ("4", "y", "train"),
        ("5", "y", "val"),
    ]
    clips = [clip(name, group=group, split=split) for name, group, split in [*rows, ("6", "z", "train")]]
    assert overlapping(clips) == ["1", "2", "4"]


def test_repeats_are_numbered_in_order():
    clips, repeats = number_repeats([clip(name) for name in ("x", "y", "x", "x")])
    assert [c.id for c in clips] == ["x", "y", "x#2", "x#3"]
    assert repeats == ["x#2", "x#3"]


def test_cells_stay_as_written(tmp_path):
    (tmp_path / "t.csv").write_text('\ufeffid,text\n007,NA\n1e3,"a, b"\n', encoding="utf-8")
    assert read_rows(tmp_path / "t.csv", "").rows == [
        {"id": "007", "text": "NA"},
        {"id": "1e3", "text": "a, b"},
    ]
    (tmp_path / "t.txt").write_text("x&1\ny&2\n")
    table = read_rows(tmp_path / "t.txt", "", separator="&", names=("name", "number"))
    assert [row["number"] for row in table.rows] == ["1", "2"]


def test_lists_say_what_to_do_when_absent(tmp_path):
    (tmp_path / "list.txt").write_text("\ufeffa \r\n\r\n b\n", encoding="utf-8")
    assert read_list(tmp_path / "list.txt", "") == ["a", "b"]
    with pytest.raises(InputError, match=r"There is no .*none\.txt. Unpack x\.zip"):
        read_list(tmp_path / "none.txt", "Unpack x.zip.")
    with pytest.raises(InputError, match=r"There is no .*none\.csv. Unpack x\.zip"):
        read_rows(tmp_path / "none.csv", "Unpack x.zip.")


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1]", "no JSON object"), ('{"a": {"b": 1}}', "'a' is neither"), ("{", "is not JSON")],
)
def test_metadata_that_is_no_text_is_refused(tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=message):
        metadata_beside(tmp_path / "x.mp4")


def test_videos_are_found_by_stem_in_all_folders(tmp_path):
    for name in ("b/x.mp4", "a/x.MKV", "a/x.srt", "y.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert videos_by_stem(tmp_path) == {
        "x": [tmp_path / "a" / "x.MKV", tmp_path / "b" / "x.mp4"],
        "y": [tmp_path / "y.webm"],
    }


def test_names():
    assert safe_name("Male speech, man speaking") == "Male_speech_man_speaking"
    assert [split_named(name) for name in ("Dev", " TEST ", "training", "fold1")] == [
        "val",
        "test",
        "train",
        None,
    ]
