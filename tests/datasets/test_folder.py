import json
from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare


@pytest.fixture(scope="module")
def folder(load_recipe):
    return load_recipe("folder")


@pytest.fixture
def source(tmp_path, make_files):
    """Two classes, five speakers, two takes each."""
    make_files(
        tmp_path / "clips",
        [f"{label}/s{s}_take{t}.mp4" for label in ("cat", "dog") for s in range(1, 6) for t in (1, 2)],
    )
    return tmp_path / "clips"


def run(folder, source, out, **options):
    return prepare(folder.RECIPE, folder.Options(source=source, out=out, **options))


def test_groups_by_pattern_stay_in_one_split_across_classes(folder, source, tmp_path, rows):
    outcome = run(folder, source, tmp_path / "out", group=r"(s\d)_", validation_share=0.2, check=True)
    clips = rows(outcome)
    assert {clip.group for clip in clips.values()} == {"s1", "s2", "s3", "s4", "s5"}
    splits = {clip.group: clip.split for clip in clips.values()}
    assert all(splits[clip.group] == clip.split for clip in clips.values())
    assert Counter(clip.split for clip in clips.values()) == {"train": 12, "val": 4, "test": 4}
    assert clips["cat/s1_take1"].label == "cat"
    assert clips["cat/s1_take1"].video == "../clips/cat/s1_take1.mp4"
    assert outcome.problems == []
    assert "No counts are published" in outcome.summary(checked=True)


def test_without_a_pattern_each_file_is_a_group_and_the_seed_decides(folder, source, tmp_path, rows):
    def tested(seed, name):
        return {
            c.id for c in rows(run(folder, source, tmp_path / name, seed=seed)).values() if c.split == "test"
        }

    first = tested(0, "a")
    assert len(first) == 4
    assert tested(0, "b") == first
    assert any(tested(seed, f"c{seed}") != first for seed in (1, 2, 3))


def test_what_lies_beside_a_clip_belongs_to_it(folder, source, tmp_path, rows):
    (source / "cat" / "s1_take1.srt").write_text("")
    (source / "cat" / "s1_take2.ASS").write_text("")
    (source / "cat" / "s2_take1.wav").write_text("sound")
    metadata = {"title": "Two cats", "tags": ["grey", "asleep"], "year": 2011}
    (source / "dog" / "s1_take1.json").write_text(json.dumps(metadata))
    (source / "dog" / "bark.wav").write_text("bark")
    clips = rows(run(folder, source, tmp_path / "out"))
    assert clips["cat/s1_take1"].subtitles == "../clips/cat/s1_take1.srt"
    assert clips["cat/s1_take2"].subtitles == "../clips/cat/s1_take2.ASS"
    assert clips["cat/s2_take1"].audio == "../clips/cat/s2_take1.wav"
    assert clips["dog/s1_take1"].metadata == {"title": "Two cats", "tags": "grey, asleep", "year": "2011"}
    assert (clips["dog/bark"].video, clips["dog/bark"].audio) == (None, "../clips/dog/bark.wav")


def test_split_folders_decide_and_a_missing_val_is_carved(folder, tmp_path, rows, make_files):
    source = tmp_path / "clips"
    names = [f"training/{c}/{i}.mp4" for c in "ab" for i in range(4)] + [f"test/{c}/x.mp4" for c in "ab"]
    make_files(source, names)
    clips = rows(run(folder, source, tmp_path / "out", validation_share=0.25))
    assert Counter(clip.split for clip in clips.values()) == {"train": 6, "val": 2, "test": 2}
    assert clips["test/a/x"].label == "a"
    make_files(source, ["dev/a/y.mp4", "dev/b/y.mp4"])
    clips = rows(run(folder, source, tmp_path / "out"))
    assert {name for name, clip in clips.items() if clip.split == "val"} == {"dev/a/y", "dev/b/y"}


def test_nothing_is_left_out_silently(folder, source, tmp_path, make_files):
    make_files(source, ["notes.txt", "cat/readme.md", "cat/lonely.srt"])
    outcome = run(folder, source, tmp_path / "out")
    assert outcome.notes == {
        "files are of a kind that is not read": ["cat/readme.md"],
        "names have subtitles or metadata and neither video nor sound": ["cat/lonely"],
        "files lie outside of class folders": ["notes.txt"],
    }
    assert (
        "1 files are of a kind that is not read: cat/readme.md" in (tmp_path / "out/report.txt").read_text()
    )


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["cat/s1_take1.avi"], {}, r"s1_take1\.mp4 have one name"),
        (["train/cat/1.mp4"], {}, "is no split folder, but others"),
        ([], {"group": "("}, "is no regular expression"),
        ([], {"group": "speaker"}, r"is not found in 's1_take1\.mp4'|is not found in 's1_take1'"),
        (["cat/s1_take1.json"], {}, "is not JSON"),
    ],
)
def test_mistakes_are_named(folder, source, tmp_path, make_files, files, options, message):
    make_files(source, files)
    with pytest.raises(InputError, match=message):
        run(folder, source, tmp_path / "out", **options)


def test_split_folders_without_a_test_split_are_refused(folder, tmp_path, make_files):
    make_files(tmp_path / "clips", ["train/a/1.mp4", "val/a/2.mp4"])
    with pytest.raises(InputError, match="no clips for test"):
        run(folder, tmp_path / "clips", tmp_path / "out")


def test_an_empty_folder_and_none_at_all(folder, tmp_path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(InputError, match="no clips were found"):
        run(folder, tmp_path / "clips", tmp_path / "out")
    with pytest.raises(InputError, match=r"There is no .*nowhere"):
        run(folder, tmp_path / "nowhere", tmp_path / "out")
