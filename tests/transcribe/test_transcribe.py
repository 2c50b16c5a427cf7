"""Transcription with a tiny Whisper of random weights: what it says is nonsense, the way there is real."""

import zlib
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pytest
import torch

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, Manifest, read_manifest, write_manifest
from mmvideo.errors import InputError
from mmvideo.store.subtitle_parser import Cue, parse_timed_blocks
from mmvideo.store.subtitles import read_words
from mmvideo.transcribe.transcribe import (
    TranscribeReport,
    find_media,
    targets,
    to_srt,
    transcribe,
    with_transcripts,
)
from mmvideo.transcribe.whisper import Whisper

SPECIAL = (
    *("startoftranscript", "en", "de", "translate", "transcribe"),
    *("startoflm", "startofprev", "nospeech", "notimestamps"),
)


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory) -> Path:
    """A Whisper of one layer and width 16 with a tokenizer of single bytes, in the layout of the hub's."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import (  # type: ignore[attr-defined]
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("whisper")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    tokenizer = WhisperTokenizerFast(
        tokenizer_object=bytes_only, unk_token=end, bos_token=end, eos_token=end, pad_token=end
    )
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in SPECIAL]})
    stamps = [AddedToken(f"<|{i * 0.02:.2f}|>", special=False, normalized=False) for i in range(1501)]
    tokenizer.add_tokens(stamps)
    number = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in [*SPECIAL, "endoftext"]}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), number["endoftext"])
    ends["decoder_start_token_id"] = number["startoftranscript"]
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            max_target_positions=64,
            **ends,
        )
    )
    model.generation_config = GenerationConfig(
        is_multilingual=True,
        lang_to_id={"<|en|>": number["en"], "<|de|>": number["de"]},
        task_to_id={"transcribe": number["transcribe"], "translate": number["translate"]},
        no_timestamps_token_id=number["notimestamps"],
        prev_sot_token_id=number["startofprev"],
        max_initial_timestamp_index=50,
        alignment_heads=[[0, 0]],
        max_length=24,
        **ends,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


class Scripted:
    """Says one cue that tells how long the sound is, and counts how often it was asked."""

    sample_rate = 16000

    def __init__(self) -> None:
        self.heard = 0

    def __call__(self, samples):
        self.heard += 1
        return [Cue(0.5, 1.0, f"{len(samples) / self.sample_rate:.0f} seconds")]


@pytest.fixture
def media(video, click_track, tmp_path) -> Path:
    """Two with sound, one silent, one mute, one damaged."""
    (tmp_path / "deep").mkdir()
    video("said.mp4", frames=20, sound=click_track(2, [0.25]))
    video("deep/said.mkv", frames=10, sound=click_track(1, [0.25]))
    video("silent.mp4", frames=10, sound=click_track(1, []))
    video("mute.mp4", frames=5)
    (tmp_path / "broken.mp4").write_bytes(b"junk" * 100)
    return tmp_path


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.srt"))


def test_every_clip_is_transcribed_kept_or_told(media):
    jobs = targets(find_media(media), media, None)
    assert len(jobs) == 5
    report, model = TranscribeReport(), Scripted()
    outcomes = {file.name: outcome for file, outcome in transcribe(jobs, model, report)}
    assert outcomes == {
        "said.mp4": "written",
        "said.mkv": "written",
        "silent.mp4": "silent",
        "mute.mp4": "no audio",
        "broken.mp4": "failed",
    }
    assert model.heard == 2  # what is silent is not asked about: recognisers make up words for silence
    assert names(media) == ["deep/said.srt", "said.srt", "silent.srt"]
    assert [word.text for word in read_words(media / "said.srt")] == ["2", "seconds"]
    assert read_words(media / "silent.srt") == []
    for told in ("2 transcribed", "1 silent", "1 without sound", "1 failed", "mute.mp4: no audio track"):
        assert told in report.summary()

    (media / "said.srt").write_text("mine")
    (media / "deep" / "said.srt").unlink()
    again = TranscribeReport()
    list(transcribe(jobs, model, again))
    assert (again.counts["kept"], again.counts["written"], model.heard) == (2, 1, 3)
    assert (media / "said.srt").read_text() == "mine"


def test_srt_files_go_beside_the_clips_or_below_a_folder(tmp_path):
    files = [tmp_path / "a.mp4", tmp_path / "b" / "a.mp4"]
    assert list(targets(files, tmp_path, None).values()) == [tmp_path / "a.srt", tmp_path / "b" / "a.srt"]
    out = tmp_path / "out"
    assert list(targets(files, tmp_path, out).values()) == [out / "a.srt", out / "b" / "a.srt"]
    with pytest.raises(InputError, match=r"a\.mp4 and .*a\.wav would both be transcribed"):
        targets([tmp_path / "a.mp4", tmp_path / "a.wav"], tmp_path, None)
    with pytest.raises(InputError, match="lies outside"):
        targets([Path("/elsewhere/a.mp4")], tmp_path, out)
    with pytest.raises(InputError, match="no video or sound file"):
        find_media(tmp_path)


def test_a_written_file_is_read_as_it_was_said():
    cues = [Cue(0.0, 1.5, "a {b} <c> --> d"), Cue(3600.25, 3601.0, "7"), Cue(3602.0, 3603.0, "é 字")]
    read = parse_timed_blocks(to_srt(cues), "srt")
    assert read.findings == []
    assert [(cue.start, cue.end) for cue in read.cues] == [(cue.start, cue.end) for cue in cues]
    assert [cue.text for cue in read.cues][1:] == ["7", "é 字"]


def test_a_manifest_gets_the_new_subtitles(tmp_path):
    def clip(name, **files):
        return Clip(id=name, label="a", group=name, split="train", **files)

    clips = (
        clip("one", video="a.mp4", start=0.0, end=1.0),
        clip("two", video="a.mp4", start=1.0, end=2.0),
        clip("own", video="a.mp4", subtitles="own.srt"),
        clip("mute", video="b.mp4"),
        clip("words", subtitles="own.srt"),
    )
    (tmp_path / "a.srt").write_text("")
    made = {tmp_path / "a.mp4": tmp_path / "a.srt", tmp_path / "b.mp4": tmp_path / "b.srt"}
    found = with_transcripts(Manifest(clips, tmp_path), made)
    assert [clip.subtitles for clip in found] == ["a.srt", "a.srt", "own.srt", None, "own.srt"]


def test_a_whisper_model_gives_cues_in_order_within_the_sound(tiny_whisper):
    noise = np.random.default_rng(0).normal(0, 0.1, 35 * 16000).astype(np.float32)
    for length, times in ((2, "cue"), (35, "cue"), (2, "word")):
        model = Whisper(str(tiny_whisper), device="cpu", language="English", times=times)
        cues = model(noise[: length * 16000])
        assert cues
        assert all(0 <= cue.start <= cue.end <= length for cue in cues)
        assert all(cue.text.isprintable() for cue in cues)
        assert model(noise[: length * 16000]) == cues


def test_a_window_whose_text_repeats_itself_is_heard_again(tiny_whisper, monkeypatch):
    """A model that likes all letters, and z best: greedy, it says nothing else."""
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * 16000).astype(np.float32)

    def compressed(model):
        said = " ".join(cue.text for cue in model(noise)).encode()
        return len(said) / len(zlib.compress(said))

    model = Whisper(str(tiny_whisper), device="cpu", language="en")
    letters = model._pipeline.tokenizer.convert_tokens_to_ids(list(ascii_lowercase))
    liked = torch.zeros(model._pipeline.model.config.vocab_size)
    liked[letters] = torch.linspace(15, 16, len(letters))
    model._pipeline.model.proj_out.register_forward_hook(lambda _, given, logits: logits + liked)
    state = torch.get_rng_state()
    guarded = compressed(model)
    assert torch.equal(torch.get_rng_state(), state), "what else is drawn stays as it was"
    assert compressed(model) == guarded < 1
    monkeypatch.setitem(model._generate, "temperature", (0.0,))
    assert compressed(model) > 1.5


def test_what_is_no_usable_model_or_language_is_refused(tiny_whisper, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        Whisper(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="cannot be loaded for speech recognition"):
        Whisper(str(tmp_path))
    with pytest.raises(InputError, match=r"Unknown language 'xx'.*Known: de, en"):
        Whisper(str(tiny_whisper), language="xx")


def test_the_command_writes_srt_files_and_a_manifest(video, click_track, tmp_path, tiny_whisper, capsys):
    video("a.mp4", frames=10, sound=click_track(1, [0.2, 0.6]))
    write_manifest(tmp_path / "m.jsonl", [Clip(id="a", label="x", group="a", split="train", video="a.mp4")])
    with pytest.raises(SystemExit) as ended:
        main(["transcribe", str(tmp_path / "m.jsonl"), "--model", str(tiny_whisper), "--device", "cpu"])
    assert ended.value.code == 0
    assert "1 transcribed" in capsys.readouterr().out
    (clip,) = read_manifest(tmp_path / "m.transcribed.jsonl").clips
    assert clip.subtitles == "a.srt"
    assert (tmp_path / "a.srt").exists()
