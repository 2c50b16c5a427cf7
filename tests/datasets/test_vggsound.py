from collections import Counter

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare

ROWS = """\
---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,waterfall burbling,train
--56QUhyDQM,185,"donkey, ass braying",train
--5OkAjCI7g,40,"donkey, ass braying",train
--8puiAGLhs,30,waterfall burbling,train
--96EkdKvGA,0,waterfall burbling,test
--9O4XZOge4,81,"donkey, ass braying",test
-A0vIp4XEbM,12,people marching,train
-A4bqYJ7ACs,7,people marching,train
"""


@pytest.fixture(scope="module")
def vggsound(load_recipe):
    return load_recipe("vggsound")


@pytest.fixture
def download(tmp_path, make_files):
    source = tmp_path / "vggsound"
    source.mkdir()
    (source / "vggsound.csv").write_text(ROWS)
    names = [row.split(",")[:2] for row in ROWS.splitlines()]
    make_files(source / "video", [f"{video}_{int(start):06d}.mp4" for video, start in names])
    return source


def run(vggsound, source, out, **options):
    options = {"validation_share": 0.4, **options}
    return prepare(vggsound.RECIPE, vggsound.Options(source=source, out=out, **options))


def test_rows_follow_the_list(vggsound, download, tmp_path, rows):
    outcome = run(vggsound, download, tmp_path / "out", check=True)
    clips = rows(outcome)
    clip = clips["--9O4XZOge4_000081"]
    assert (clip.label, clip.group, clip.split) == ("donkey, ass braying", "--9O4XZOge4", "test")
    assert (clip.video, clip.start) == ("../vggsound/video/--9O4XZOge4_000081.mp4", None)
    assert Counter(clip.split for clip in clips.values()) == {"train": 3, "val": 3, "test": 3}
    assert outcome.leaks == ""
    assert outcome.problems == ["3 classes are listed instead of the published 309."]


def test_whole_videos_are_read_for_ten_seconds(vggsound, download, tmp_path, rows, make_files):
    (download / "video" / "--56QUhyDQM_000185.mp4").unlink()
    make_files(download, ["--56QUhyDQM.mp4"])
    clip = rows(run(vggsound, download, tmp_path / "out"))["--56QUhyDQM_000185"]
    assert (clip.video, clip.start, clip.end) == ("../vggsound/--56QUhyDQM.mp4", 185.0, 195.0)


def test_missing_clips_are_counted(vggsound, download, tmp_path):
    (download / "video" / "--9O4XZOge4_000081.mp4").unlink()
    problems = run(vggsound, download, tmp_path / "out", check=True).problems
    assert "1 of 9 listed clips has no file (test 1): --9O4XZOge4_000081" in problems[1]


def test_a_video_in_both_splits_leaves_train(vggsound, download, tmp_path, rows, make_files):
    (download / "vggsound.csv").write_text(ROWS + "--96EkdKvGA,50,waterfall burbling,train\n")
    make_files(download / "video", ["--96EkdKvGA_000050.mp4"])
    outcome = run(vggsound, download, tmp_path / "out", check=True)
    assert list(outcome.set_aside.values()) == [["--96EkdKvGA_000050"]]
    assert (len(rows(outcome)), outcome.leaks) == (9, "")


def test_strange_rows_are_refused(vggsound, download, tmp_path):
    (download / "vggsound.csv").write_text(ROWS + "abc,soon,waterfall burbling,train\nabc,1,x,validation\n")
    with pytest.raises(InputError, match=r"2 rows .*line 10, line 11"):
        run(vggsound, download, tmp_path / "out")
    (download / "vggsound.csv").unlink()
    with pytest.raises(InputError, match=r"Download vggsound\.csv"):
        run(vggsound, download, tmp_path / "out")
