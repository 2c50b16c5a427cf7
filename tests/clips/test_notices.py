"""What is said of a data set before training, and what is not."""

from __future__ import annotations

import pytest

from mmvideo.clips.manifest import Clip
from mmvideo.clips.notices import (
    absence_notices,
    blank_notices,
    presence_notices,
    split_notices,
    unread_notices,
    untrained_notices,
)
from mmvideo.errors import InputError
from mmvideo.vocabulary import SPLITS, Split

WORDS = {"audio": "digital silence"}


def clips(split: Split, count: int, group: str = "", labels: str = "ab") -> list[Clip]:
    """Labels in turn, ids `split0` …"""
    names = [f"{split}{i}" for i in range(count)]
    return [
        Clip(id=name, label=labels[i % len(labels)], group=group or name, split=split, video="x")
        for i, name in enumerate(names)
    ]


SOUND = [clip for split in SPLITS for clip in clips(split, 20)]
ALL = {clip.id for clip in SOUND}


def test_nothing_is_said_of_a_sound_data_set() -> None:
    assert split_notices(SOUND) == []
    assert presence_notices(SOUND, {"visual": ALL}) == []
    assert blank_notices(SOUND, {"audio": ALL}, {"audio": {"train0", "train1", "test3"}}, WORDS) == []


def test_small_and_narrow_splits_are_told() -> None:
    rows = [*clips("train", 4), *clips("val", 1), *clips("test", 3, group="s1", labels="a")]
    assert split_notices(rows) == [
        "The val split has one clip: the checkpoint is chosen on it alone.",
        "All 3 test clips are of one group (s1): intervals are over clips, and tell nothing of what another "
        "group would give.",
        "1 class of 2 in train has no test clip: b.",
    ]


def test_few_groups_are_told_with_what_they_leave_open() -> None:
    train = clips("train", 20)
    three = [*train, *(row for at in "xyz" for row in clips("test", 4, group=at))]
    assert split_notices(three) == [
        "The 12 test clips are of 3 groups: 95 % intervals over so few are wide, and even of a model that is "
        "right on every clip begin at 29 %. Test on at least 6, better on some dozens."
    ]
    numbers = [clip.model_copy(update={"label": 0.5}) for clip in three]
    assert "over so few are wide. Test on" in split_notices(numbers)[0]
    assert split_notices([*train, *clips("test", 6)]) == []


def test_what_no_input_reads_is_told() -> None:
    given = {"features": {"flow": "f.npy"}, "metadata": {"title": "t"}}
    rows = [clip.model_copy(update=given) for clip in clips("train", 3)]
    inputs: dict[str, set[str]] = {"visual": {"train0"}, "text": set()}
    assert unread_notices(rows, inputs) == [
        "3 clips name features of flow, which no input reads. A base called with +flow reads them too, as "
        "`--base folder+flow`.",
        "Clips have metadata (title) and no other text, and no input reads them. To have them read: "
        "--set 'inputs.text.options.metadata_fields=[\"title\"]'.",
    ]
    assert unread_notices(rows, {"flow": {"train0"}, "text": {"train0"}}) == []
    assert unread_notices(clips("train", 3), inputs) == []


def test_one_class_and_classes_that_differ_in_capitals_are_told() -> None:
    (note,) = split_notices(clips("train", 4, labels="a") + clips("test", 6, labels="a"))
    assert note == "All 10 clips are of one class, 'a': there is nothing to tell apart."
    (note,) = split_notices([*clips("train", 6, labels="abA"), *clips("test", 6, labels="abA")])
    assert note.startswith("Classes differ in capitals alone: 'A' and 'a'. If each is one class")


def test_what_whole_classes_lack_is_told() -> None:
    odd = {clip.id for clip in SOUND if clip.label == "b"}
    (note,) = absence_notices(SOUND, {"visual": ALL, "audio": odd, "text": set()})
    assert note.startswith("No training clip of 1 class of 2 has audio: a. Whether it is there tells them")
    assert absence_notices(SOUND, {"audio": ALL - {"train0"}, "text": set()}) == []


def test_silence_is_told_where_most_of_a_split_is_silent() -> None:
    blank = {clip.id for clip in SOUND} - {"train0", "test1"}
    (note,) = blank_notices(SOUND, {"audio": ALL}, {"audio": blank}, WORDS)
    assert note.startswith(
        "audio is digital silence in 58 of the 60 clips that have it "
        "(train 19 of 20, val 20 of 20, test 19 of 20)"
    )


def test_silence_that_goes_with_the_class_is_told() -> None:
    blank = {f"train{i}" for i in range(1, 20, 2)}  # the clips of class b
    (note,) = blank_notices(SOUND, {"audio": ALL}, {"audio": blank}, WORDS)
    assert "goes with the class in training (chi-square test, p < 0.001)" in note
    assert "from 0 of 10 of 'a' to 10 of 10 of 'b'" in note
    assert blank_notices(SOUND, {"audio": ALL}, {"audio": {f"train{i}" for i in range(10)}}, WORDS) == []


def test_clips_without_anything_are_told_and_a_split_of_them_is_refused() -> None:
    some = {"visual": ALL - {"val3"}, "text": {"train0", "test0"}}
    assert presence_notices(SOUND, some) == [
        "1 val clip of 20 has none of visual, text: val3.",
        "No val clip has text, which training clips have.",
    ]
    with pytest.raises(InputError, match="None of the 20 readable clips of the val split has any of visual"):
        presence_notices(SOUND, {"visual": {"train0", "test0"}})
    with pytest.raises(InputError, match="No clip of the test split could be decoded"):
        presence_notices([clip for clip in SOUND if clip.split != "test"], {"visual": ALL})


def test_what_no_training_clip_has_is_told() -> None:
    assert untrained_notices(SOUND, {"visual": ALL, "audio": {"val0", "test1"}, "text": set()}) == [
        "No training clip has audio: nothing is learned of it. It is in 2 clips of val and test.",
        "No training clip has text: nothing is learned of it.",
    ]
