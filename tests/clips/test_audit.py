from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.clips.audit import audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.clips.validation import carve_validation
from mmvideo.errors import InputError


def clip(name, split="train", label="a", group=None, **files):
    files = files or {"metadata": {"title": name}}
    return Clip(id=name, label=label, group=group or name, split=split, **files)


SOUND = [clip("1", "train"), clip("2", "val"), clip("3", "test")]


@pytest.fixture
def check(tmp_path):
    def run(clips):
        return audit(Manifest(tuple(clips), tmp_path), hashes=ContentHashes(tmp_path / "hashes.json"))

    return run


def test_a_sound_manifest_is_counted(check):
    report = check([*SOUND, clip("4", label="b", group="1"), clip("5", "test", label="b")])
    assert report.clips == {"train": 2, "val": 1, "test": 2}
    assert report.groups == {"train": 1, "val": 1, "test": 2}
    assert report.classes["b"] == {"train": 1, "val": 0, "test": 1}
    rows = {line.split()[0]: line.split()[1:] for line in report.summary().splitlines()}
    assert rows["clips"] == ["2", "1", "2"]
    assert rows["b"] == ["1", "0", "1"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            [clip("4", "train", group="actor7"), clip("5", "test", group="actor7")],
            "actor7 in train .4. and test .5.",
        ),
        ([clip("1", "train", group="other")], "1 id.s. given more than once: 1"),
        ([clip("4", "val", label="zebra")], "1 class.es. stand in val or test and not in train: zebra"),
    ],
)
def test_a_leak_is_named(check, extra, message):
    with pytest.raises(InputError, match=message):
        check([*SOUND, *extra])


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_split_is_an_error(check, split):
    with pytest.raises(InputError, match=f"split '{split}' has no clips"):
        check([c for c in SOUND if c.split != split])


def test_without_val_there_must_be_groups_to_draw_it_from(check):
    report = check([clip("1"), clip("2"), clip("4", label="b"), clip("3", "test")])
    assert report.clips["val"] == 0
    assert "each run draws its own from train (data.validation_share)" in report.summary()
    with pytest.raises(InputError, match="each class has its training clips in one group"):
        check([clip("1", group="g"), clip("2", group="g"), clip("3", "test")])


def test_all_findings_come_at_once(check):
    with pytest.raises(InputError, match=r"4 finding") as caught:
        check([clip("1"), clip("1", "test"), clip("2", "test", label="b")])
    assert "id(s)" in str(caught.value)
    assert "No validation split can be carved" in str(caught.value)
    assert "class(es)" in str(caught.value)
    assert "group in two splits" in str(caught.value)


def test_copies_of_one_file_in_two_splits_are_an_error(check, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"same")
    (tmp_path / "b.wav").write_bytes(b"same")
    with pytest.raises(InputError, match=r"same file content .* in train \(4\) and test \(5\)"):
        check([*SOUND, clip("4", video="a.mp4"), clip("5", "test", audio="b.wav")])


def test_one_file_cut_into_spans_within_a_split_is_fine(check, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"same")
    spans = [clip(f"s{i}", label="b", video="a.mp4", start=float(i), end=i + 1.0) for i in range(3)]
    assert check([*SOUND, *spans]).repeated == 0
    again = clip("again", video="a.mp4", start=0.0, end=1.0)
    assert check([*SOUND, *spans, again]).repeated == 2


def test_empty_files_are_no_leak(check, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.mp4").touch()
    clips = [*SOUND, clip("4", label="b", video="a.mp4"), clip("5", "test", video="b.mp4")]
    assert check(clips).clips["test"] == 2


def test_missing_files_are_named(check):
    with pytest.raises(
        InputError, match=r"1 of 1 files named in the manifest do not exist(?s:.*)4: video .*gone.mp4"
    ):
        check([*SOUND, clip("4", video="gone.mp4")])


def dataset(groups_per_class, clips_per_group, classes=3):
    return [
        clip(f"{label}-{group}-{i}", label=str(label), group=f"{label}-{group}")
        for label in range(classes)
        for group in range(groups_per_class)
        for i in range(clips_per_group)
    ]


def splits_of(clips):
    per_group: dict[str, set[str]] = {}
    for c in clips:
        per_group.setdefault(c.group, set()).add(c.split)
    return per_group


def test_carving_takes_the_share_of_every_class():
    carved = carve_validation([*dataset(20, 5), clip("t", "test")], 0.15, seed=0)
    count = Counter((c.label, c.split) for c in carved)
    assert [count[str(label), "val"] for label in range(3)] == [15, 15, 15]
    assert [c.id for c in carved] == [c.id for c in [*dataset(20, 5), clip("t", "test")]]
    assert carved[-1].split == "test"


def test_carving_depends_on_the_seed_and_not_on_the_order():
    clips = dataset(20, 5)
    first = {c.group for c in carve_validation(clips, 0.15, seed=0) if c.split == "val"}
    assert first == {c.group for c in carve_validation(clips[::-1], 0.15, seed=0) if c.split == "val"}
    assert first != {c.group for c in carve_validation(clips, 0.15, seed=1) if c.split == "val"}


def test_carving_gives_small_classes_one_group():
    carved = carve_validation(dataset(2, 5), 0.1, seed=0)
    assert Counter((c.label, c.split) for c in carved)["0", "val"] == 5


@pytest.mark.parametrize(
    ("clips", "share", "message"),
    [
        (dataset(1, 5), 0.2, "No validation split can be carved"),
        ([*dataset(3, 1), clip("v", "val")], 0.2, "have a val split already"),
        (dataset(3, 1), 1.0, "between 0 and 1"),
    ],
)
def test_carving_says_why_it_cannot(clips, share, message):
    with pytest.raises(InputError, match=message):
        carve_validation(clips, share, seed=0)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=60),
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 99),
)
def test_carving_never_splits_a_group_nor_empties_a_class(rows, share, seed):
    clips = [clip(str(i), label=str(label), group=str(group)) for i, (label, group) in enumerate(rows)]
    try:
        carved = carve_validation(clips, share, seed)
    except InputError:
        return
    assert all(len(splits) == 1 for splits in splits_of(carved).values())
    assert {c.label for c in carved} == {c.label for c in carved if c.split == "train"}
    assert any(c.split == "val" for c in carved)
