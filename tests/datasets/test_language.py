"""GRID, GRID digits and MSR-VTT: made-up downloads named as the official ones, and the real digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmvideo.clips.manifest import read_manifest
from mmvideo.errors import InputError
from mmvideo.recipes import prepare
from mmvideo.store.subtitles import read_words

ALIGNMENT = (
    "0 23750 sil\n23750 29500 bin\n29500 34000 blue\n34000 35500 at\n35500 41000 f\n"
    "41000 47250 two\n47250 53000 now\n53000 74500 sil\n"
)


class TestGrid:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        speakers = [*range(1, 8), 20, 22, 34]
        sentences = {"bbaf2n": "bin blue at f two now", "swiz9a": "set white in z nine again"}
        make_files(tmp_path, [f"s{n}/{name}.mpg" for n in speakers for name in sentences])
        for n in speakers:
            for name, text in sentences.items():
                path = tmp_path / "alignments" / f"s{n}" / f"{name}.align"
                path.parent.mkdir(parents=True, exist_ok=True)
                words = dict(zip("bin blue at f two now".split(), text.split(), strict=True))  # noqa: SIM905
                lines = [line.split() for line in ALIGNMENT.splitlines()]
                path.write_text("".join(f"{a} {b} {words.get(word, word)}\n" for a, b, word in lines))
        return tmp_path

    @pytest.mark.parametrize(("task", "label"), [
        ("command", "bin"), ("colour", "blue"), ("preposition", "at"), ("letter", "f"), ("digit", "two"),
        ("adverb", "now"),
    ])  # fmt: skip
    def test_the_word_that_is_asked_for_is_the_label_and_is_not_told(
        self, load_recipe: Any, source: Path, rows: Any, task: str, label: str
    ) -> None:
        grid = load_recipe("grid")
        outcome = prepare(grid.RECIPE, grid.Options(source=source, out=source / "out", task=task))
        clip = rows(outcome)["s5_bbaf2n"]
        assert (clip.label, clip.group) == (label, "s5")
        words = read_words(outcome.manifest.parent / (clip.subtitles or ""))
        sentence = ["bin", "blue", "at", "f", "two", "now"]
        assert [word.text for word in words] == [word for word in sentence if word != label]

    def test_words_have_their_times(self, load_recipe: Any, source: Path, rows: Any) -> None:
        grid = load_recipe("grid")
        outcome = prepare(grid.RECIPE, grid.Options(source=source, out=source / "out", text="full"))
        words = read_words(outcome.manifest.parent / (rows(outcome)["s1_bbaf2n"].subtitles or ""))
        assert [word.text for word in words] == ["bin", "blue", "at", "f", "two", "now"]
        assert (words[4].start, words[4].end) == pytest.approx((1.64, 1.89))

    def test_unseen_speakers_are_tested(self, load_recipe: Any, source: Path, rows: Any) -> None:
        grid = load_recipe("grid")
        outcome = prepare(grid.RECIPE, grid.Options(source=source, out=source / "out", check=True))
        clips = rows(outcome).values()
        assert {clip.group for clip in clips if clip.split == "test"} == {"s1", "s2", "s20", "s22"}
        assert {clip.split for clip in clips} == {"train", "test"}, "each run draws its own val"
        assert not outcome.leaks

    def test_what_does_not_fit_is_told(
        self, load_recipe: Any, source: Path, make_files: Any, rows: Any
    ) -> None:
        grid = load_recipe("grid")
        make_files(source, ["s3/bwaf2n.mpg", "s3/lgbt4p.mpg", "extra/bbaf2n.mpg"])
        outcome = prepare(grid.RECIPE, grid.Options(source=source, out=source / "out"))
        assert sorted(name for names in outcome.notes.values() for name in names) == [
            "extra/bbaf2n.mpg",
            "s3_bwaf2n",
            "s3_lgbt4p",
        ]
        assert rows(outcome)["s3_lgbt4p"].subtitles is None

    @pytest.mark.parametrize(("text", "message"), [
        (ALIGNMENT.replace("two", "six"), "word 5 is 'six', but the file's name says 'two'"),
        (ALIGNMENT.replace("47250 53000 now\n", ""), "has 5 words; a sentence of GRID has 6"),
        ("0.5 x sil\n", r"bbaf2n.align:1: expected '<start> <end> <word>'"),
    ])  # fmt: skip
    def test_alignments_of_another_sentence(
        self, load_recipe: Any, source: Path, text: str, message: str
    ) -> None:
        grid = load_recipe("grid")
        (source / "alignments" / "s4" / "bbaf2n.align").write_text(text)
        with pytest.raises(InputError, match=message):
            prepare(grid.RECIPE, grid.Options(source=source, out=source / "out"))

    def test_every_slot_has_its_words(self, load_recipe: Any) -> None:
        sizes = {slot: len(codes) for slot, codes in load_recipe("grid").CODES.items()}
        assert sizes == {
            "command": 4, "colour": 4, "preposition": 4, "letter": 25, "digit": 10, "adverb": 4,
        }  # fmt: skip


class TestGridDigits:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        names = [f"clips/c{i}.mp4" for i in range(100)]
        make_files(tmp_path, names)
        words = ("one", "two")
        table = [
            f"{name},{words[i % 2]},{1 + i % 2},say {words[i % 2]} now,say [unk] now,say one now,{i // 2 % 5}"
            for i, name in enumerate(names)
        ]
        header = "clip,digit,label,text_full,text_masked,text_noisy50,fold\n"
        (tmp_path / "labels.csv").write_text(header + "\n".join(table) + "\n")
        return tmp_path

    def test_a_fold_is_test(self, load_recipe: Any, source: Path, rows: Any) -> None:
        digits = load_recipe("grid_digits")
        options = digits.Options(source=source, out=source / "out", fold=3, validation_share=0.15)
        clips = rows(prepare(digits.RECIPE, options))
        assert {name for name, clip in clips.items() if clip.split == "test"} == {
            f"c{i}" for i in range(100) if i // 2 % 5 == 3
        }
        assert sum(clip.split == "val" for clip in clips.values()) == 12

    @pytest.mark.parametrize(("text", "expected"), [
        ("full", ["say", "two", "now"]),
        ("masked", ["say", "[unk]", "now"]),
        ("noisy50", ["say", "one", "now"]),
    ])  # fmt: skip
    def test_its_text(
        self, load_recipe: Any, source: Path, rows: Any, text: str, expected: list[str]
    ) -> None:
        digits = load_recipe("grid_digits")
        outcome = prepare(digits.RECIPE, digits.Options(source=source, out=source / "out", text=text))
        words = read_words(outcome.manifest.parent / (rows(outcome)["c1"].subtitles or ""))
        assert [word.text for word in words] == expected
        assert 0 <= words[0].start <= words[-1].end <= 1
        told = digits.Options(source=source, out=source / "out", text=text, text_as="metadata")
        clip = rows(prepare(digits.RECIPE, told))["c1"]
        assert (clip.subtitles, clip.metadata) == (None, {"transcript": " ".join(expected)})

    def test_no_text(self, load_recipe: Any, source: Path, rows: Any) -> None:
        digits = load_recipe("grid_digits")
        clips = rows(prepare(digits.RECIPE, digits.Options(source=source, out=source / "out", text="none")))
        assert all(clip.subtitles is None and not clip.metadata for clip in clips.values())

    def test_the_real_ones(self, load_recipe: Any, shared_data: Path, tmp_path: Path) -> None:
        digits = load_recipe("grid_digits")
        options = digits.Options(source=shared_data / "grid_digits", out=tmp_path, check=True)
        outcome = prepare(digits.RECIPE, options)
        assert outcome.problems == []
        assert {c.label for c in outcome.clips} == set(load_recipe("grid").DIGITS)


class TestMsrvtt:
    @pytest.fixture
    def source(self, tmp_path: Path, make_files: Any) -> Path:
        """As in the two lists of the challenge: train and validate in one, test in the other."""

        def entry(number: int, split: str, video: str, category: int) -> dict[str, Any]:
            url = f"https://www.youtube.com/watch?v={video}"
            return {"video_id": f"video{number}", "category": category, "url": url, "start time": 1.0,
                    "end time": 9.0, "split": split, "id": number}  # fmt: skip

        def sentences(numbers: list[int]) -> list[dict[str, Any]]:
            return [
                {"caption": f"caption {k} of {n}", "video_id": f"video{n}", "sen_id": 20 * n + k}
                for n in reversed(numbers)
                for k in (1, 0, 2)
            ]

        first = [
            entry(0, "train", "a", 9),
            entry(1, "train", "b", 0),
            entry(2, "train", "t", 9),
            entry(3, "validate", "c", 9),
        ]
        second = [entry(4, "test", "t", 9), entry(5, "test", "d", 19)]
        for name, videos in {
            "train_val_videodatainfo.json": first,
            "test_videodatainfo.json": second,
        }.items():
            numbers = [video["id"] for video in videos]
            (tmp_path / name).write_text(
                json.dumps({"info": {}, "videos": videos, "sentences": sentences(numbers)})
            )
        make_files(tmp_path, [f"TrainValVideo/video{n}.mp4" for n in range(4)])
        make_files(tmp_path, [f"TestVideo/video{n}.mp4" for n in (4, 5)])
        return tmp_path

    def test_splits_categories_and_captions(self, load_recipe: Any, source: Path, rows: Any) -> None:
        msrvtt = load_recipe("msrvtt")
        outcome = prepare(
            msrvtt.RECIPE, msrvtt.Options(source=source, out=source / "out", captions=2, check=True)
        )
        clips = rows(outcome)
        assert {name: clip.split for name, clip in clips.items()} == {
            "video0": "train", "video1": "train", "video3": "val", "video4": "test", "video5": "test",
        }  # fmt: skip
        assert (clips["video0"].label, clips["video5"].label) == ("vehicles/autos", "advertisement")
        assert clips["video0"].metadata == {"captions": "caption 0 of 0. caption 1 of 0"}
        assert (clips["video4"].group, clips["video4"].video) == ("t", "../TestVideo/video4.mp4")
        assert "train 3 instead of 6,513" in " ".join(outcome.problems)

    def test_clips_of_a_video_that_test_shows_are_set_aside(self, load_recipe: Any, source: Path) -> None:
        msrvtt = load_recipe("msrvtt")
        outcome = prepare(msrvtt.RECIPE, msrvtt.Options(source=source, out=source / "out"))
        assert list(outcome.set_aside.values()) == [["video2"]]
        kept = msrvtt.Options(source=source, out=source / "out", keep_overlap=True)
        assert "video2" in {clip.id for clip in prepare(msrvtt.RECIPE, kept).clips}

    def test_no_captions(self, load_recipe: Any, source: Path) -> None:
        msrvtt = load_recipe("msrvtt")
        outcome = prepare(msrvtt.RECIPE, msrvtt.Options(source=source, out=source / "out", captions=0))
        assert not any(clip.metadata for clip in read_manifest(outcome.manifest).clips)

    def test_no_lists(self, load_recipe: Any, tmp_path: Path) -> None:
        msrvtt = load_recipe("msrvtt")
        with pytest.raises(InputError, match=r"has none of MSRVTT_data.json, train_val_videodatainfo.json"):
            prepare(msrvtt.RECIPE, msrvtt.Options(source=tmp_path, out=tmp_path / "out"))

    def test_the_published_counts_agree_with_each_other(self, load_recipe: Any) -> None:
        msrvtt = load_recipe("msrvtt")
        known = msrvtt.RECIPE.known(msrvtt.Options(source=Path()))
        assert sum(known.clips.values()) == known.total
        assert len(set(msrvtt.CATEGORIES)) == known.classes
