from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare

HEADER = "label,youtube_id,time_start,time_end,split\n"
TRAIN = """\
testifying,---QUuC4vJs,84,94,train
testifying,-3qDtl3g5_g,1,11,train
eating spaghetti,--ZkI5Dv9p0,23,33,train
eating spaghetti,-0q2xHLmQEw,7,17,train
eating spaghetti,-2kGA8fBvFo,0,10,train
testifying,-9Kw8kEnu0c,100,110,train
"""
VALIDATE = """\
testifying,0wR5jVB-WPk,417,427,validate
eating spaghetti,1iOtLRAWbQs,29,39,validate
"""
TEST = """\
testifying,2uWm3KTCvLs,5,15,test
eating spaghetti,3ZzvGxiz5Rk,12,22,test
"""


def cut(row):
    label, video, start, end, split = row.split(",")
    return f"{split}/{label}/{video}_{int(start):06d}_{int(end):06d}.mp4"


@pytest.fixture(scope="module")
def kinetics(load_recipe):
    return load_recipe("kinetics")


@pytest.fixture
def download(tmp_path, make_files):
    """Cut clips in class folders, as the downloader of ActivityNet makes them; the lists in annotations/."""
    source = tmp_path / "k400"
    (source / "annotations").mkdir(parents=True)
    for name, text in {"train": TRAIN, "val": VALIDATE, "test": TEST}.items():
        (source / "annotations" / f"{name}.csv").write_text(HEADER + text)
        make_files(source, [cut(row) for row in text.splitlines()])
    return source


def run(kinetics, source, out, **options):
    options = {"validation_share": 0.3, **options}
    return prepare(kinetics.RECIPE, kinetics.Options(source=source, out=out, **options))


def test_validation_is_the_test_split_and_another_is_carved(kinetics, download, tmp_path, rows):
    outcome = run(kinetics, download, tmp_path / "out", check=True)
    clips = rows(outcome)
    assert Counter(clip.split for clip in clips.values()) == {"train": 4, "val": 2, "test": 2}
    clip = clips["0wR5jVB-WPk_000417_000427"]
    assert (clip.label, clip.group, clip.split) == ("testifying", "0wR5jVB-WPk", "test")
    assert clip.video == "../k400/validate/testifying/0wR5jVB-WPk_000417_000427.mp4"
    assert (clip.start, clip.end) == (None, None)
    assert outcome.leaks == ""
    assert outcome.problems == ["2 classes are listed instead of the published 400."]


def test_the_official_test_part_on_demand(kinetics, download, tmp_path, rows):
    clips = rows(run(kinetics, download, tmp_path / "out", test="test")).values()
    assert Counter(clip.split for clip in clips) == {"train": 6, "val": 2, "test": 2}
    assert {clip.group for clip in clips if clip.split == "test"} == {"2uWm3KTCvLs", "3ZzvGxiz5Rk"}


def test_a_whole_video_is_read_in_its_span(kinetics, download, tmp_path, rows, make_files):
    (download / cut("testifying,---QUuC4vJs,84,94,train")).unlink()
    make_files(download, ["whole/---QUuC4vJs.mkv"])
    clip = rows(run(kinetics, download, tmp_path / "out"))["---QUuC4vJs_000084_000094"]
    assert (clip.video, clip.start, clip.end) == ("../k400/whole/---QUuC4vJs.mkv", 84.0, 94.0)


def test_replacements_of_corrupted_clips_come_first(kinetics, download, tmp_path, rows, make_files):
    name = "---QUuC4vJs_000084_000094"
    folder = "replacement/replacement_for_corrupted_k400"
    make_files(download, [f"{folder}/{name}.mp4"])
    outcome = run(kinetics, download, tmp_path / "out")
    assert rows(outcome)[name].video == f"../k400/{folder}/{name}.mp4"
    assert list(outcome.notes.values()) == [[name]]


def test_the_check_names_what_vanished(kinetics, download, tmp_path):
    (download / cut("testifying,---QUuC4vJs,84,94,train")).unlink()
    outcome = run(kinetics, download, tmp_path / "out", check=True)
    assert "1 of 8 listed clips has no file (train 1): ---QUuC4vJs_000084_000094" in outcome.problems[1]
    assert "k400/train/testifying/---QUuC4vJs_000084_000094.mp4" in (tmp_path / "out/missing.txt").read_text()


def test_repeats_and_videos_of_two_splits_are_set_aside(kinetics, download, tmp_path, rows, make_files):
    again, shared = "testifying,---QUuC4vJs,84,94,train", "testifying,0wR5jVB-WPk,10,20,train"
    (download / "annotations" / "train.csv").write_text(HEADER + TRAIN + again + "\n" + shared + "\n")
    make_files(download, [cut(shared)])
    outcome = run(kinetics, download, tmp_path / "out", check=True)
    assert list(outcome.set_aside.values()) == [
        ["---QUuC4vJs_000084_000094#2"],
        ["0wR5jVB-WPk_000010_000020"],
    ]
    assert (len(outcome.listed), len(rows(outcome)), outcome.leaks) == (10, 8, "")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train", "youtube_id,time_start,time_end,split\na,0,10,train\n", "has no column label"),
        ("train", HEADER + "testifying,a,10,5,train\n", "no span of seconds in line 2"),
        ("train", HEADER + "testifying,a,,5,train\n", "no span of seconds in line 2"),
        ("validate", HEADER + VALIDATE, "list the part 'validate'"),
    ],
)
def test_strange_lists_are_refused(kinetics, download, tmp_path, name, text, message):
    (download / "annotations" / f"{name}.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        run(kinetics, download, tmp_path / "out")


def test_a_missing_list_is_named(kinetics, download, tmp_path):
    (download / "annotations" / "val.csv").unlink()
    with pytest.raises(InputError, match=r"There is no validate\.csv"):
        run(kinetics, download, tmp_path / "out")
