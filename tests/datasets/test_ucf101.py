from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare


@pytest.fixture(scope="module")
def ucf101(load_recipe):
    return load_recipe("ucf101")


def names(label, groups, clips=2):
    return [f"{label}/v_{label}_g{g:02d}_c{c:02d}.avi" for g in groups for c in range(1, clips + 1)]


@pytest.fixture
def download(tmp_path, make_files):
    """Two classes of 10 groups; one listed clip is absent, one clip is in no list, one has subtitles."""
    source = tmp_path / "download"
    lists = source / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    train = [name for label in ("Archery", "Biking") for name in names(label, range(4, 11))]
    test = [name for label in ("Archery", "Biking") for name in names(label, range(1, 4))]
    (lists / "trainlist01.txt").write_text("".join(f"{name} 1\r\n" for name in train))
    (lists / "testlist01.txt").write_text("".join(f"{name}\r\n" for name in test))
    make_files(source / "UCF-101", [*train, *test, "Biking/v_Biking_g11_c01.avi"])
    (source / "UCF-101" / "Archery" / "v_Archery_g04_c01.avi").unlink()
    (source / "UCF-101" / "Biking" / "v_Biking_g01_c02.srt").write_text("")
    return source


def run(ucf101, source, out, **options):
    return prepare(ucf101.RECIPE, ucf101.Options(source=source, out=out, **options))


def test_rows_follow_the_official_split(ucf101, download, tmp_path, rows):
    outcome = run(ucf101, download, tmp_path / "out", validation_share=0.3, check=True)
    clips = rows(outcome)
    clip = clips["v_Biking_g01_c02"]
    assert (clip.label, clip.group, clip.split) == ("Biking", "Biking_g01", "test")
    assert clip.video == "../download/UCF-101/Biking/v_Biking_g01_c02.avi"
    assert clip.subtitles == "../download/UCF-101/Biking/v_Biking_g01_c02.srt"
    count = Counter((c.label, c.split) for c in clips.values())
    assert (count["Biking", "train"], count["Biking", "val"]) == (10, 4)
    assert count["Archery", "test"] == 6
    assert sum(count.values()) == 39
    assert list(outcome.missing) == ["v_Archery_g04_c01"]
    assert outcome.notes == {"videos on disk are in no list": ["Biking/v_Biking_g11_c01.avi"]}
    assert outcome.leaks == ""


def test_the_check_finds_that_this_is_not_all_of_ucf101(ucf101, download, tmp_path):
    problems = "\n".join(run(ucf101, download, tmp_path / "out", check=True).problems)
    assert "train 28 instead of 9,537, test 12 instead of 3,783" in problems
    assert "2 classes are listed instead of the published 101" in problems
    assert "ApplyEyeMakeup train 0 instead of 101" in problems
    assert "1 of 40 listed clips has no file (train 1): v_Archery_g04_c01" in problems


def test_class_folders_may_lie_directly_in_the_source(ucf101, download, tmp_path, rows):
    for folder in (download / "UCF-101").iterdir():
        folder.rename(download / folder.name)
    (download / "UCF-101").rmdir()
    assert len(rows(run(ucf101, download, tmp_path / "out"))) == 39


def test_what_is_missing_is_said(ucf101, download, tmp_path):
    with pytest.raises(InputError, match=r"There is no .*trainlist02\.txt"):
        run(ucf101, download, tmp_path / "out", split=2)
    (download / "UCF-101").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="None of the 40 clips listed by UCF101"):
        run(ucf101, download, tmp_path / "out")
    (download / "ucfTrainTestlist" / "trainlist01.txt").write_text("../etc/passwd 1\n")
    with pytest.raises(InputError, match="1 lines are not <Class>"):
        run(ucf101, download, tmp_path / "out")


@pytest.mark.parametrize(("split", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_the_official_lists_are_as_published_and_most_clips_absent(
    ucf101, shared_data, tmp_path, split, train, test
):
    source = shared_data / "ucf101_mini"
    outcome = run(ucf101, source, tmp_path, split=split, check=True)
    assert Counter(clip.split for clip in outcome.listed) == {"train": train, "test": test}
    assert (len(outcome.clips), len(outcome.missing), outcome.notes) == (125, 13195, {})
    assert len(outcome.problems) == 1
    assert "13,195 of 13,320 listed clips have no file" in outcome.problems[0]
    assert len((tmp_path / "missing.txt").read_text().splitlines()) == 13195
