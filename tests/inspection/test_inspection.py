from pathlib import Path

import numpy as np
import pytest

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, Manifest, write_manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.errors import InputError
from mmvideo.inspection.contents import decode, single_clip, survey_manifest, view_examples

CONFIG = RunConfig(data=DataConfig(frame_size=32, crop_size=24, max_seconds=1.0))
SRT = "1\n00:00:00,500 --> 00:00:01,500\nhello there\n"


@pytest.fixture
def clips(video, click_track, tmp_path) -> Manifest:
    """Four readable clips, one damaged one, and one group in two splits."""
    video("full.mp4", frames=20, sound=click_track(2, [0.6, 1.0]))
    video("mute.mp4", frames=10)
    (tmp_path / "full.srt").write_text(SRT)
    (tmp_path / "half.srt").write_text(SRT + "\n2\nlost\n")
    (tmp_path / "broken.mp4").write_bytes(b"junk" * 100)

    def clip(name, label, split, group, **files):
        return Clip(id=name, label=label, group=group, split=split, **files)

    rows = (
        clip("full", "a", "train", "g1", video="full.mp4", subtitles="full.srt"),
        clip("mute", "b", "train", "g2", video="mute.mp4"),
        clip("words <b>", "a", "val", "g3", subtitles="half.srt"),
        clip("again", "b", "test", "g2", video="mute.mp4", start=0.5),
        clip("broken", "b", "test", "g4", video="broken.mp4"),
    )
    write_manifest(tmp_path / "m.jsonl", rows)
    return Manifest(rows, tmp_path)


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_view_is_what_the_model_gets_in_evaluation(clips, tmp_path):
    decoded = decode(clips, CONFIG.data, tmp_path / "store")
    views = {view.id: view for view in view_examples(decoded, CONFIG, 9)}
    assert set(views) == {"full", "mute", "words <b>", "again"}
    full = views["full"]
    assert (full.seconds, full.absent) == (pytest.approx(2, abs=0.1), ())
    assert full.frames.shape == (8, 24, 24, 3)
    assert len(full.samples) == 16000
    # the middle second of two: the clicks at 0.6 and 1.0 s come 0.1 and 0.5 s after its start
    loud = np.flatnonzero(np.abs(full.samples) > 0.2) / 16000
    assert loud[0] == pytest.approx(0.1, abs=0.005)
    assert "".join(text.removeprefix("##") for text, _ in full.pieces) == "hellothere"
    assert [time for _, time in full.pieces] == sorted(time for _, time in full.pieces)
    assert views["mute"].absent == ("audio", "text")
    assert views["words <b>"].absent == ("visual", "audio")
    assert "text without times" in views["words <b>"].warnings[0]


def test_examples_take_the_classes_in_turn(clips, tmp_path):
    decoded = decode(clips, CONFIG.data, tmp_path / "store")
    assert [view.id for view in view_examples(decoded, CONFIG, 2)] == ["full", "mute"]
    assert view_examples(decoded, CONFIG, 0) == []


def test_a_manifest_in_numbers(clips, tmp_path):
    decoded = decode(clips, CONFIG.data, tmp_path / "store")
    overview = survey_manifest(decoded, decoded.report.present, "single_label")
    assert overview.clips == {"train": 2, "val": 1, "test": 2}
    assert overview.groups == {"train": 2, "val": 1, "test": 2}
    assert overview.classes["b"] == {"train": 1, "val": 0, "test": 2}
    assert overview.presence["failed to decode"] == {"train": 0, "val": 0, "test": 1}
    assert overview.presence_by_class["a"] == {"visual": 1, "audio": 1, "text": 1}
    assert overview.presence_by_class["b"] == {"visual": 1}
    assert overview.durations["train"][3] == pytest.approx(2, abs=0.1)
    assert "val" not in overview.durations  # text has no duration of its own
    assert list(overview.failed) == ["broken"]
    assert list(overview.warnings) == ["words <b>"]
    assert any("g2 in train (mute) and test (again)" in line for line in overview.findings)


def test_the_page_shows_it_all_and_needs_no_network(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("inspect", tmp_path / "m.jsonl", "--store", tmp_path / "s", "--out", "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count('src="data:image/png;base64,') == 4
    assert "http" not in page.replace("http-equiv", "")
    for told in ("g2 in train (mute) and test (again)", "Training refuses", "broken.mp4: Invalid data"):
        assert told in page
    assert "words &lt;b&gt;" in page
    assert "words <b>" not in page


def test_one_clip_with_the_subtitles_beside_it(clips, tmp_path):
    out = tmp_path / "page.html"
    assert call("inspect", tmp_path / "full.mp4", "--out", out) == 0
    page = out.read_text()
    assert "tokenizer trained on this clip alone" in page
    assert "absent" not in page
    assert call("inspect", tmp_path / "mute.mp4", "--out", tmp_path / "a.png") == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_which_subtitles_a_single_clip_takes(clips, tmp_path):
    beside = single_clip(tmp_path / "full.mp4", None).clips[0]
    assert Path(beside.subtitles).name == "full.srt"
    given = single_clip(tmp_path / "full.mp4", tmp_path / "half.srt").clips[0]
    assert Path(given.subtitles).name == "half.srt"
    assert single_clip(tmp_path / "mute.mp4", None).clips[0].subtitles is None


def test_mistakes_are_told_in_one_line(clips, tmp_path, capsys):
    with pytest.raises(InputError, match="no clip or manifest"):
        single_clip(tmp_path / "gone.mp4", None)
    for arguments, told in (
        ((tmp_path / "broken.mp4",), "Invalid data"),
        ((tmp_path / "full.mp4", "--out", "a.pdf"), "must end in .html or .png"),
        ((tmp_path / "m.jsonl", "--out", "a.png"), "must end in .html"),
    ):
        assert call("inspect", *arguments) == 2
        message = capsys.readouterr().err
        assert told in message
        assert message.count("\n") == 1
