import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import prepare

HEADER = "Category&VideoID&Quality&StartTime&EndTime\n"
LISTS = {
    "trainSet.txt": "Church bell&RUhOCu3LNXM&good&0&10\nChurch bell&VWi2ENBuTbw&good&0&0\n"
    "Male speech, man speaking&0giAfYq9oVM&good&3&9\n",
    "valSet.txt": "Church bell&MH3m4AwEcRY&good&6&8\nMale speech, man speaking&0jr-YC7JdwQ&good&6&10\n",
    "testSet.txt": "Church bell&AiJTCFtN0BY&good&1&4\nMale speech, man speaking&-hChcJAh5N0&good&5&10\n",
}


@pytest.fixture(scope="module")
def ave(load_recipe):
    return load_recipe("ave")


@pytest.fixture
def download(tmp_path, make_files):
    source = tmp_path / "AVE_Dataset"
    source.mkdir()
    (source / "Annotations.txt").write_text(HEADER + "".join(LISTS.values()))
    for name, text in LISTS.items():
        (source / name).write_text(text)
        make_files(source / "AVE", [f"{line.split('&')[1]}.mp4" for line in text.splitlines()])
    return source


def run(ave, source, out, **options):
    return prepare(ave.RECIPE, ave.Options(source=source, out=out, **options))


def test_the_three_official_splits(ave, download, tmp_path, rows):
    outcome = run(ave, download, tmp_path / "out", check=True)
    clips = rows(outcome)
    assert [clip.split for clip in clips.values()] == ["train"] * 3 + ["val"] * 2 + ["test"] * 2
    clip = clips["0giAfYq9oVM_Male_speech_man_speaking_3_9"]
    assert (clip.label, clip.group) == ("Male speech, man speaking", "0giAfYq9oVM")
    assert (clip.video, clip.start, clip.end) == ("../AVE_Dataset/AVE/0giAfYq9oVM.mp4", None, None)
    assert not outcome.carved
    assert outcome.leaks == ""
    assert outcome.problems == [
        "7 clips are listed instead of the published 4,143.",
        "2 classes are listed instead of the published 28.",
    ]


def test_the_event_alone_on_demand(ave, download, tmp_path, rows):
    outcome = run(ave, download, tmp_path / "out", span="event")
    clips = rows(outcome)
    clip = clips["0giAfYq9oVM_Male_speech_man_speaking_3_9"]
    assert (clip.start, clip.end) == (3.0, 9.0)
    assert outcome.set_aside == {"events have no length": ["VWi2ENBuTbw_Church_bell_0_0"]}
    assert len(clips) == 6


def test_a_video_of_two_events_stays_in_one_split(ave, download, tmp_path, rows):
    more = "Male speech, man speaking&AiJTCFtN0BY&good&2&9\nChurch bell&RUhOCu3LNXM&good&0&10\n"
    (download / "trainSet.txt").write_text(HEADER + LISTS["trainSet.txt"] + more)
    outcome = run(ave, download, tmp_path / "out", check=True)
    assert outcome.set_aside == {
        "lines repeat another line": ["RUhOCu3LNXM_Church_bell_0_10#2"],
        "clips show a video that a later split has too": ["AiJTCFtN0BY_Male_speech_man_speaking_2_9"],
    }
    assert (len(outcome.listed), len(rows(outcome)), outcome.leaks) == (9, 7, "")


def test_missing_files_and_strange_lines(ave, download, tmp_path):
    (download / "AVE" / "MH3m4AwEcRY.mp4").unlink()
    problems = run(ave, download, tmp_path / "out", check=True).problems
    assert "1 of 7 listed clips has no file (val 1): MH3m4AwEcRY_Church_bell_6_8" in problems[-1]
    (download / "valSet.txt").write_text("Church bell&MH3m4AwEcRY&good&6\n")
    with pytest.raises(InputError, match="1 lines are not Category&VideoID"):
        run(ave, download, tmp_path / "out")
    (download / "valSet.txt").unlink()
    with pytest.raises(InputError, match=r"There is no .*valSet\.txt"):
        run(ave, download, tmp_path / "out")
