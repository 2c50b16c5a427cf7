import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, Manifest, write_manifest
from mmvideo.components import EncoderChoice
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.errors import InputError
from mmvideo.inspection.opened import open_to_inspect, single_clip
from mmvideo.inspection.overview import survey_manifest
from mmvideo.inspection.picture import draw
from mmvideo.inspection.views import view_examples
from mmvideo.types import Tokens
from mmvideo.vocabulary import SPLITS

CNN = EncoderChoice.of("cnn_lstm", picture_size=24)
SPECTROGRAM = EncoderChoice.of("spectrogram_cnn", sample_rate=8000, mel_bins=24, hop_seconds=0.02)
VIDEO = {
    "visual": Input.of("visual", CNN, frame_size=32),
    "audio": Input.of("audio", SPECTROGRAM),
    "text": Input.of("text"),
}
CONFIG = RunConfig(inputs=VIDEO, data=DataConfig(max_seconds=1.0))
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


def test_a_view_is_what_the_model_is_given_in_evaluation(clips, tmp_path):
    inspected = open_to_inspect(clips, CONFIG, tmp_path / "store")
    views = {view.id: view for view in view_examples(inspected, 9)}
    assert set(views) == {"full", "mute", "words <b>", "again"}
    full = views["full"]
    assert (full.seconds, full.absent) == (pytest.approx(2, abs=0.1), ())
    visual, audio, text = full.modalities
    assert (
        [m.name for m in full.modalities] == [m.kind for m in full.modalities] == ["visual", "audio", "text"]
    )
    assert visual.values.shape == (8, 3, 24, 24)
    assert visual.values.dtype == np.uint8
    assert audio.values.shape == (50, 160)
    assert (audio.heard.sample_rate, audio.heard.hop, audio.heard.mel_bins) == (
        8000,
        160,
        24,
    )
    # the middle second of two: the clicks at 0.6 and 1.0 s come 0.1 and 0.5 s after its start
    loud = np.flatnonzero(np.abs(audio.values.ravel()) > 0.2) / 8000
    assert loud[0] == pytest.approx(0.1, abs=0.005)
    assert "".join(piece.removeprefix("##") for piece in text.pieces) == "hellothere"
    assert list(text.times) == sorted(text.times)
    assert views["mute"].absent == ("audio", "text")
    assert views["words <b>"].absent == ("visual", "audio")
    assert "text without times" in views["words <b>"].warnings[0]


def heard_of_full(clips, root, encoder):
    config = CONFIG.model_copy(
        update={"inputs": {**VIDEO, "audio": Input.of("audio", encoder)}, "modalities": ("audio",)}
    )
    views = {view.id: view for view in view_examples(open_to_inspect(clips, config, root), 9)}
    return config, views["full"].modalities[0]


@pytest.mark.parametrize(("parts", "summary", "shape"), [(0, False, (50, 40)), (4, True, (4, 120))])
def test_sound_is_shown_as_the_mfcc_that_its_encoder_projects(clips, tmp_path, parts, summary, shape):
    """A log-mel spectrogram was shown, which no part of that model hears."""
    choice = EncoderChoice.of("mfcc", sample_rate=8000, parts=parts, summary=summary)
    config, audio = heard_of_full(clips, tmp_path / "store", choice)
    shown = audio.heard
    assert shown.values.shape == shape
    assert shown.title.startswith("40 MFCC each 20 ms")
    assert "standardised" in shown.title
    inspected = open_to_inspect(clips, config, tmp_path / "store")
    encoder = choice.component(choice.options, inspected.modalities["audio"].told, 8, {"stem", "clip"})
    read = []
    encoder.project.register_forward_hook(lambda module, given, made: read.append(given[0]))
    mask = torch.ones(1, len(audio.values), dtype=torch.bool)
    encoder.eval().stem(Tokens(torch.tensor(audio.values)[None], mask, torch.tensor(audio.times)[None]))
    np.testing.assert_allclose(read[0][0].numpy(), shown.values, atol=1e-4)


def test_sound_of_a_pretrained_model_is_the_waveform_and_names_its_front_end(clips, tmp_path, monkeypatch):
    given = {"sampling_rate": 16000, "feature_size": 80}
    for module in ("heard", "sound_model"):
        package = "inspection" if module == "heard" else "encoders"
        monkeypatch.setattr(f"mmvideo.{package}.{module}.sound_of", lambda *_: given)
    monkeypatch.setattr("mmvideo.inspection.heard.model_config", lambda name: {"model_type": "whisper"})
    _, audio = heard_of_full(clips, tmp_path / "store", EncoderChoice.of("sound_model", model="some/whisper"))
    assert audio.heard.sample_rate == 16000
    assert "Whisper's encoder makes 80 mel bands of it itself (16 kHz, 30 s)" in audio.heard.title


def test_a_view_shows_the_modalities_that_the_model_is_given(clips, tmp_path):
    config = RunConfig(inputs=VIDEO, modalities=("audio",))
    inspected = open_to_inspect(clips, config, tmp_path / "store")
    assert [m.name for m in view_examples(inspected, 1)[0].modalities] == ["audio"]
    # what else there is counts in the overview, as it does in a run's controls
    assert survey_manifest(inspected).modalities == ("visual", "audio", "text")


@pytest.mark.parametrize("on_device", [False, True])
def test_pictures_are_shown_as_training_changes_them(clips, tmp_path, on_device):
    augmented = {"flip_probability": 1.0, "random_crop": False, "on_device": on_device}
    visual = Input.of("visual", CNN, frame_size=32, **augmented)
    config = CONFIG.model_copy(update={"inputs": {**VIDEO, "visual": visual}})
    inspected = open_to_inspect(clips, config, tmp_path / "store")
    views = {view.id: view for view in view_examples(inspected, 9)}
    [film], plain = views["full"].changed, views["full"].modalities[0]
    assert np.array_equal(film.values, plain.values[..., ::-1])
    assert np.array_equal(film.times, plain.times)
    assert not len(views["words <b>"].changed[0].values)
    drawn = [text.get_text() for part in draw(views["full"]).subfigs for text in part.texts]
    assert sum("visual in training" in text for text in drawn) == 1


def test_pictures_that_training_leaves_alone_are_shown_once(clips, tmp_path):
    visual = Input.of("visual", CNN, frame_size=32, random_crop=False)
    config = CONFIG.model_copy(update={"inputs": {**VIDEO, "visual": visual}})
    inspected = open_to_inspect(clips, config, tmp_path / "store")
    assert [view.changed for view in view_examples(inspected, 9)] == [()] * 4


def test_examples_take_the_classes_in_turn(clips, tmp_path):
    inspected = open_to_inspect(clips, CONFIG, tmp_path / "store")
    assert [view.id for view in view_examples(inspected, 2)] == ["full", "mute"]
    assert view_examples(inspected, 0) == []


def test_a_manifest_in_numbers(clips, tmp_path):
    overview = survey_manifest(open_to_inspect(clips, CONFIG, tmp_path / "store"))
    assert overview.clips == {"train": 2, "val": 1, "test": 2}
    assert overview.groups == {"train": 2, "val": 1, "test": 2}
    assert overview.classes["b"] == {"train": 1, "val": 0, "test": 2}
    assert overview.presence["visual+audio+text"] == {"train": 1, "val": 0, "test": 0}
    assert overview.presence["failed to decode"] == {"train": 0, "val": 0, "test": 1}
    assert overview.presence_by_class["a"] == {"visual": 1, "audio": 1, "text": 1}
    assert overview.presence_by_class["b"] == {"visual": 1}
    assert overview.durations["train"][3] == pytest.approx(2, abs=0.1)
    assert "val" not in overview.durations  # text has no duration of its own
    assert list(overview.failed) == ["broken"]
    assert list(overview.warnings) == ["words <b>"]
    assert any("g2 in train (mute) and test (again)" in line for line in overview.findings)


def test_a_manifest_without_training_clips_is_shown_all_the_same(clips, tmp_path):
    late = Manifest(tuple(clip for clip in clips.clips if clip.split != "train"), clips.root)
    inspected = open_to_inspect(late, CONFIG, tmp_path / "store")
    view = next(view for view in view_examples(inspected, 9) if view.id == "words <b>")
    # the middle second of one and a half: the second word is spoken after it
    assert "".join(piece.removeprefix("##") for piece in view.modalities[2].pieces) == "hello"
    assert (view.split, view.seconds) == ("val", 1.5)
    assert any("split 'train' has no clips" in line for line in survey_manifest(inspected).findings)


def test_where_nothing_can_be_decoded_there_is_still_a_page(clips, tmp_path):
    rows = [clip.model_copy(update={"video": "broken.mp4", "subtitles": None}) for clip in clips.clips]
    write_manifest(tmp_path / "bad.jsonl", [*rows[:4], rows[4].model_copy(update={"video": "gone.mp4"})])
    out = tmp_path / "page.html"
    assert call("inspect", tmp_path / "bad.jsonl", "--store", tmp_path / "s", "--out", out) == 0
    page = out.read_text()
    assert "could not be decoded: 5" in page
    assert "0 examples" in page
    assert f"broken: video {tmp_path / 'gone.mp4'}" in page


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


def test_each_clip_is_in_one_row_of_what_clips_have(clips, video, click_track, tmp_path):
    """Blank ones too: they are there, and stand in a table of their own."""
    video("silent.mp4", frames=10, sound=click_track(1, []))
    silent = Clip(id="silent", label="a", group="g5", split="train", video="silent.mp4")
    write_manifest(tmp_path / "blank.jsonl", [*clips.clips, silent])
    out = tmp_path / "page.html"
    assert call("inspect", tmp_path / "blank.jsonl", "--store", tmp_path / "s", "--out", out) == 0
    having, blank = out.read_text().split("<h2>Which clips have what</h2>")[1].split("</table>")[:2]
    counts = [
        [int(count) for count in re.findall(r"<td>(\d+)</td>", row)] for row in having.split("<tr>")[2:]
    ]
    assert [sum(column) for column in zip(*counts[:-1], strict=True)] == counts[-1] == [3, 1, 2]
    assert "<td>audio</td><td>1</td>" in blank


def test_an_audit_without_findings_says_what_was_looked_at(clips, tmp_path):
    full, mute, words, *_ = (clip.model_copy(update={"group": clip.id}) for clip in clips.clips)
    (tmp_path / "val.srt").write_text(SRT.replace("hello", "goodbye"))
    val = words.model_copy(update={"id": "val", "group": "val", "subtitles": "val.srt"})
    rows = [full, mute, val, words.model_copy(update={"split": "test"})]
    write_manifest(tmp_path / "good.jsonl", rows)
    out = tmp_path / "page.html"
    options = ("--store", tmp_path / "s", "--out", out, "--examples", "0")
    assert call("inspect", tmp_path / "good.jsonl", *options) == 0
    assert "every class has training clips" in out.read_text()
    assert "features can be read" not in out.read_text(), "there are none"


def test_one_clip_with_the_subtitles_beside_it(clips, tmp_path):
    out = tmp_path / "page.html"
    assert call("inspect", tmp_path / "full.mp4", "--out", out) == 0
    page = out.read_text()
    assert "tokenizer trained on this clip alone" in page
    assert "[UNK]" not in page
    assert "absent" not in page
    assert call("inspect", tmp_path / "mute.mp4", "--out", tmp_path / "a.png") == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_directory_brings_the_tokenizer_that_it_trained(clips, tmp_path):
    data = DataConfig(manifest=str(tmp_path / "whole.jsonl"), store=str(tmp_path / "s"))
    config = RunConfig(inputs=VIDEO, data=data)
    rows = [Clip(id=s, label="a", group=s, split=s, subtitles="full.srt") for s in SPLITS]
    rows.append(Clip(id="other", label="b", group="train", split="train", subtitles="full.srt"))
    write_manifest(tmp_path / "whole.jsonl", rows)
    RunData.open(RunConfig(inputs={"text": VIDEO["text"]}, data=data)).save(tmp_path / "run" / "inputs")
    (tmp_path / "run" / "config.json").write_text(config.model_dump_json())
    (tmp_path / "full.srt").write_text(SRT.replace("there", "xyz"))
    out = tmp_path / "page.html"
    assert call("inspect", tmp_path / "full.mp4", "--config", tmp_path / "run", "--out", out) == 0
    assert "tokenizer trained on this clip alone" not in out.read_text()
    inspected = open_to_inspect(
        single_clip(tmp_path / "full.mp4", None), config, tmp_path / "s", tmp_path / "run" / "inputs"
    )
    text = view_examples(inspected, 1)[0].modalities[2]
    assert text.pieces == ("hello", "[UNK]")


def test_the_configuration_may_stand_in_a_script(clips, tmp_path):
    """In a process of its own: what lies beside the script must not hide what the pictures need."""
    command = [sys.executable, "-m", "mmvideo", "inspect", str(tmp_path / "full.mp4"), "--out", "a.png"]
    base = Path(__file__).parents[2] / "experiments" / "bases.py"
    done = subprocess.run(
        [*command, "--config", f"{base}:planted"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_windows_are_those_of_the_base_that_is_named_or_it_is_told(clips, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bases.py").write_text(
        "from mmvideo.config import DataConfig, RunConfig\n"
        "def short(): return RunConfig(data=DataConfig(frame_rate=2.0, max_seconds=0.75))\n"
    )
    (tmp_path / "experiments").mkdir()
    (tmp_path / "bases.py").rename(tmp_path / "experiments" / "bases.py")
    assert call("inspect", "full.mp4", "--config", "short", "--out", "a.html") == 0
    assert "default configuration" not in capsys.readouterr().err
    page = (tmp_path / "a.html").read_text()
    assert "<dt>data.max_seconds</dt><dd>0.75</dd>" in page
    assert call("inspect", "full.mp4", "--out", "a.html") == 0
    assert "not those that a base trains with" in capsys.readouterr().err
    assert "not those that a base trains with" in (tmp_path / "a.html").read_text()


def test_which_subtitles_a_single_clip_takes(clips, tmp_path):
    beside = single_clip(tmp_path / "full.mp4", None).clips[0]
    assert Path(beside.subtitles).name == "full.srt"
    given = single_clip(tmp_path / "full.mp4", tmp_path / "half.srt").clips[0]
    assert Path(given.subtitles).name == "half.srt"
    assert single_clip(tmp_path / "mute.mp4", None).clips[0].subtitles is None


def test_mistakes_are_told_in_one_line(clips, tmp_path, capsys):
    (tmp_path / "made" / "empty").mkdir(parents=True)
    (tmp_path / "made" / "manifest.jsonl").touch()
    with pytest.raises(InputError, match=r"is a folder; name its manifest: .*manifest\.jsonl"):
        single_clip(tmp_path / "made", None)
    with pytest.raises(InputError, match="is a folder; name a clip or a manifest in it"):
        single_clip(tmp_path / "made" / "empty", None)
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
