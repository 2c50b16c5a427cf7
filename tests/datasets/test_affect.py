"""MELD, MUStARD, CREMA-D and RAVDESS: made-up downloads named as the official ones."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mmvideo.errors import InputError
from mmvideo.recipes import Outcome, prepare

MELD_HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
)
MELD_ROWS = {
    "train": (
        '1,"also I was the point person, you see.",Chandler,neutral,neutral,0,0,8,21,'
        '"00:16:16,059","00:16:21,731"',
        '2,Your hands must be full.,The Interviewer,surprise,positive,0,1,8,21,"00:16:21,940","00:16:23,442"',
        '3,No.,Joey,anger,negative,1,0,8,21,"00:16:23,442","00:16:26,389"',
    ),
    "dev": ('1,Oh my God!,Phoebe,surprise,negative,0,0,4,7,"00:20:57,256","00:21:00,049"',),
    "test": ('1,Why the numbers?,Mark,surprise,positive,0,0,3,19,"00:14:38,127","00:14:40,378"',),
}
MELD_FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}


def groups_of(outcome: Outcome) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for clip in outcome.clips:
        found[clip.split].add(clip.group)
    return found


def disjoint(outcome: Outcome) -> bool:
    groups = groups_of(outcome)
    return len(groups) == 3 and sum(map(len, groups.values())) == len(set().union(*groups.values()))


class TestMeld:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        source = tmp_path / "MELD.Raw"
        make_files(
            source, [f"{MELD_FOLDERS['train']}/{n}.mp4" for n in ("dia0_utt0", "dia0_utt1", "dia1_utt0")]
        )
        make_files(source, [f"{MELD_FOLDERS[part]}/dia0_utt0.mp4" for part in ("dev", "test")])
        for part, lines in MELD_ROWS.items():
            folder = source / "train" if part == "train" else source
            (folder / f"{part}_sent_emo.csv").write_text(MELD_HEADER + "\n".join(lines), encoding="utf-8")
        return source

    def test_dialogues_are_groups_of_their_own_split(self, load_recipe: Any, source: Path, rows: Any) -> None:
        meld = load_recipe("meld")
        outcome = prepare(meld.RECIPE, meld.Options(source=source, out=source / "out"))
        clips = rows(outcome)
        assert set(clips) == {
            "train_dia0_utt0", "train_dia0_utt1", "train_dia1_utt0", "val_dia0_utt0", "test_dia0_utt0",
        }  # fmt: skip
        assert disjoint(outcome)
        first = clips["train_dia0_utt0"]
        assert (first.label, first.group, first.split) == ("neutral", "train_dia0", "train")
        assert first.metadata["transcript"] == "also I was the point person, you see."

    def test_sentiment_instead(self, load_recipe: Any, source: Path, rows: Any) -> None:
        meld = load_recipe("meld")
        options = meld.Options(source=source, out=source / "out", label="sentiment")
        assert rows(prepare(meld.RECIPE, options))["train_dia0_utt1"].label == "positive"

    def test_check_tells_of_other_counts_and_a_missing_file(self, load_recipe: Any, source: Path) -> None:
        meld = load_recipe("meld")
        (source / MELD_FOLDERS["train"] / "dia0_utt1.mp4").unlink()
        outcome = prepare(meld.RECIPE, meld.Options(source=source, out=source / "out", check=True))
        assert set(outcome.missing) == {"train_dia0_utt1"}
        text = " ".join(outcome.problems)
        assert "train 3 instead of 9,989" in text
        assert "1 of 5 listed clips has no file" in text

    def test_the_official_counts_agree_with_each_other(self, load_recipe: Any) -> None:
        meld = load_recipe("meld")
        for label in ("emotion", "sentiment"):
            known = meld.known(meld.Options(source=Path(), label=label))
            for split, count in known.clips.items():
                assert sum(row[split] for row in known.per_class.values()) == count

    def test_a_table_without_the_columns(self, load_recipe: Any, source: Path) -> None:
        meld = load_recipe("meld")
        (source / "dev_sent_emo.csv").write_text("a,b\n1,2\n")
        with pytest.raises(InputError, match=r"dev_sent_emo.csv lacks the columns Dialogue_ID, Emotion"):
            prepare(meld.RECIPE, meld.Options(source=source, out=source / "out"))


def utterance(show: str, speaker: str, sarcasm: bool) -> dict[str, Any]:
    return {
        "utterance": "It's just a privilege to watch your mind at work.",
        "speaker": speaker,
        "context": ["I never would have identified the fingerprints of string theory.", "My apologies."],
        "context_speakers": ["LEONARD", "SHELDON"],
        "show": show,
        "sarcasm": sarcasm,
    }


def test_mustard_tests_on_the_series_nobody_trained_on(
    load_recipe: Any, tmp_path: Path, make_files: Any, rows: Any
) -> None:
    mustard = load_recipe("mustard")
    people = ["SHELDON", "HOWARD", "LEONARD", "PENNY"]
    records = {f"1_{i}": utterance("BBT", people[i % 4], i % 3 == 0) for i in range(24)}
    records |= {f"2_{i}": utterance("FRIENDS", "CHANDLER", i % 2 == 0) for i in range(4)}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sarcasm_data.json").write_text(json.dumps(records))
    make_files(tmp_path, [f"mmsd_raw_data/utterances_final/{name}.mp4" for name in records])
    options = mustard.Options(source=tmp_path, out=tmp_path / "out", check=True, validation_share=0.15)
    outcome = prepare(mustard.RECIPE, options)
    clips = rows(outcome)
    assert {name for name, clip in clips.items() if clip.split == "test"} == {f"2_{i}" for i in range(4)}
    assert disjoint(outcome)
    assert clips["1_0"].label == "sarcastic"
    assert clips["1_1"].label == "sincere"
    assert clips["1_0"].metadata["context"].endswith("string theory. My apologies.")
    assert not outcome.leaks
    assert "train 24 instead of 334, test 4 instead of 356" in " ".join(outcome.problems)


class TestCremaD:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        names = [
            f"{actor}_{sentence}_{emotion}_XX"
            for actor in range(1001, 1011)
            for sentence in ("DFA", "IEO")
            for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
        ]
        make_files(tmp_path, [f"VideoFlash/{name}.flv" for name in names])
        make_files(tmp_path, [f"AudioWAV/{name}.wav" for name in names])
        return tmp_path

    def test_no_actor_is_in_two_splits(self, load_recipe: Any, source: Path, rows: Any) -> None:
        crema = load_recipe("crema_d")
        options = crema.Options(source=source, out=source / "out", check=True, validation_share=0.15)
        outcome = prepare(crema.RECIPE, options)
        clips = rows(outcome)
        assert disjoint(outcome)
        assert {len(groups) for groups in groups_of(outcome).values()} <= {1, 2, 6, 7}
        one = clips["1001_IEO_HAP_XX"]
        assert (one.label, one.group) == ("happiness", "1001")
        assert one.metadata["transcript"] == "It's eleven o'clock."
        assert one.video.endswith("VideoFlash/1001_IEO_HAP_XX.flv")
        assert one.audio.endswith("AudioWAV/1001_IEO_HAP_XX.wav")
        assert "120 clips are listed instead of the published 7,442" in " ".join(outcome.problems)

    def test_one_of_two_files_missing_is_a_missing_clip(self, load_recipe: Any, source: Path) -> None:
        crema = load_recipe("crema_d")
        (source / "VideoFlash" / "1001_IEO_HAP_XX.flv").unlink()
        outcome = prepare(crema.RECIPE, crema.Options(source=source, out=source / "out"))
        assert set(outcome.missing) == {"1001_IEO_HAP_XX"}

    def test_sound_alone_will_do(self, load_recipe: Any, tmp_path: Path, make_files: Any, rows: Any) -> None:
        crema = load_recipe("crema_d")
        make_files(
            tmp_path, [f"AudioWAV/{a}_TIE_{e}_LO.wav" for a in range(1001, 1009) for e in ("ANG", "SAD")]
        )
        make_files(tmp_path, ["AudioWAV/notes.wav"])
        outcome = prepare(crema.RECIPE, crema.Options(source=tmp_path, out=tmp_path / "out"))
        assert {clip.video for clip in rows(outcome).values()} == {None}
        assert list(outcome.notes.values()) == [["notes"]]


class TestRavdess:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        """Ten actors, speech and song, each take with and without sound and as sound alone."""
        for actor in range(1, 11):
            takes = [("01", f"{e:02}") for e in range(1, 9)] + [("02", f"{e:02}") for e in range(1, 7)]
            for channel, emotion in takes:
                tail = f"{channel}-{emotion}-01-02-01-{actor:02}"
                kind = "Speech" if channel == "01" else "Song"
                folder = f"Video_{kind}_Actor_{actor:02}/Actor_{actor:02}"
                make_files(tmp_path, [f"{folder}/{code}-{tail}.mp4" for code in ("01", "02")])
                make_files(tmp_path, [f"Audio_{kind}_Actors_01-24/Actor_{actor:02}/03-{tail}.wav"])
        return tmp_path

    @pytest.mark.parametrize(
        ("channel", "count", "classes"), [("speech", 80, 8), ("song", 60, 6), ("both", 140, 8)]
    )
    def test_each_take_once(
        self, load_recipe: Any, source: Path, rows: Any, channel: str, count: int, classes: int
    ) -> None:
        ravdess = load_recipe("ravdess")
        options = ravdess.Options(
            source=source, out=source / "out", channel=channel, check=True, validation_share=0.15
        )
        outcome = prepare(ravdess.RECIPE, options)
        clips = rows(outcome)
        assert len(clips) == count
        assert all(name.startswith("01-") for name in clips)
        assert disjoint(outcome)
        assert not outcome.leaks
        problems = " ".join(outcome.problems)
        assert f"{count} clips are listed instead of" in problems
        assert f"{classes} classes" not in problems

    def test_what_the_name_says(self, load_recipe: Any, source: Path, rows: Any) -> None:
        ravdess = load_recipe("ravdess")
        clip = rows(prepare(ravdess.RECIPE, ravdess.Options(source=source, out=source / "out")))[
            "01-01-06-01-02-01-07"
        ]
        assert (clip.label, clip.group) == ("fearful", "actor07")
        assert clip.metadata == {"transcript": "Dogs are sitting by the door.", "channel": "speech"}

    def test_sound_files_instead(self, load_recipe: Any, source: Path, rows: Any) -> None:
        ravdess = load_recipe("ravdess")
        options = ravdess.Options(source=source, out=source / "out", media="audio")
        clips = rows(prepare(ravdess.RECIPE, options)).values()
        assert all(clip.audio.endswith(".wav") and clip.video is None for clip in clips)

    def test_nothing_there(self, load_recipe: Any, tmp_path: Path) -> None:
        ravdess = load_recipe("ravdess")
        with pytest.raises(InputError, match=r"there is no speech called 01-…\.mp4. Unpack Video_Speech"):
            prepare(ravdess.RECIPE, ravdess.Options(source=tmp_path, out=tmp_path / "out"))
