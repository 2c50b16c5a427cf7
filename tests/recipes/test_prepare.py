"""The core that all recipes share, on a recipe made up here."""

from __future__ import annotations

import dataclasses
import importlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmvideo.clips.manifest import Clip, read_manifest
from mmvideo.errors import InputError
from mmvideo.recipes import BaseOptions, CarvedOptions, Known, Listing, Recipe, main, prepare

NAMES = [f"{label}{group}{take}" for label in "ab" for group in range(8) for take in "xy"]


def clip(name: str, **changes) -> Clip:
    row = {"label": name[0], "group": name[:2], "split": "test" if name[1] in "01" else "train"}
    return Clip(**{"id": name, "video": f"clips/{name}.mp4", **row, **changes})


@dataclass(frozen=True, kw_only=True)
class Carved(CarvedOptions):
    leak: bool = False
    """Put one training group into test as well."""


def listing(options: Carved) -> Listing:
    clips = [clip(name) for name in NAMES]
    if options.leak:
        clips[-1] = clips[-1].model_copy(update={"split": "test"})
    return Listing(clips)


def known(options: Carved) -> Known:
    return Known(
        clips={"train": 24, "test": 8}, total=32, classes=2, per_class={"a": {"train": 12, "test": 4}}
    )


RECIPE = Recipe(
    name="made_up", title="Made up", url="https://example.org", licence="free", citation="nobody",
    options=Carved, listing=listing, known=known, defects=("it does not exist",),
)  # fmt: skip


@pytest.fixture(autouse=True)
def any_file_is_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files here hold a word."""
    monkeypatch.setattr(importlib.import_module("mmvideo.recipes.prepare"), "looked_at", lambda *_: {})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "download" / "clips" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "download"


def test_a_complete_download_passes_the_check(source, tmp_path):
    out = tmp_path / "out"
    outcome = prepare(RECIPE, Carved(source=source, out=out, check=True, validation_share=0.3))
    assert outcome.problems == []
    manifest = read_manifest(outcome.manifest)
    assert Counter(c.split for c in manifest.clips) == {"train": 16, "val": 8, "test": 8}
    assert manifest.clips[0].video == "../download/clips/a0x.mp4"
    assert not (out / "missing.txt").exists()
    report = (out / "report.txt").read_text()
    assert outcome.summary(checked=True) in report
    assert "check: The counts are the published ones, all files are there" in report
    assert report.splitlines()[-2].split() == ["a", "8", "4", "4", "0"]


def test_files_that_do_not_open_or_were_cut_short_fail_the_check(tmp_path, video, click_track, monkeypatch):
    monkeypatch.undo()
    folder = tmp_path / "clips"
    folder.mkdir()
    listed = []
    for number, (name, kept) in enumerate(
        [("whole.mp4", 1.0), ("cut.mp4", 0.5), ("cut.mkv", 0.5), ("cut.avi", 0.85), ("late.mkv", 0.97)]
    ):
        data = video(name, frames=30, sound=click_track(3, [number / 2])).read_bytes()
        (folder / name).write_bytes(data[: round(len(data) * kept)])
        listed.append(clip(f"a{number}x", video=f"clips/{name}"))
    (folder / "page.webm").write_text("<html>404</html>")
    listed.append(clip("b2x", video="clips/page.webm"))
    made = dataclasses.replace(RECIPE, listing=lambda _: Listing(listed), known=None)
    outcome = prepare(made, Carved(source=tmp_path, out=tmp_path / "out", check=True))
    why = {Path(path).name: reason for path, reason in outcome.faulty.items()}
    assert list(why) == ["cut.avi", "cut.mkv", "cut.mp4", "page.webm"]
    assert "bytes are there: it was cut short" in why["cut.avi"]
    assert {"a0x", "a4x"} <= outcome.present["audio"] <= {f"a{n}x" for n in range(5)}
    assert "No training clip of 1 class of 2 has audio: b." in outcome.summary(checked=True)
    told = next(problem for problem in outcome.problems if "4 files cannot be opened" in problem)
    assert "cut.mkv: only " in told


def test_empty_files_fail_the_check(source, tmp_path):
    for name in ("a5x", "b1x"):
        next((source / "clips").glob(f"{name[0]}*.mp4" if name != "a5x" else "a5x.mp4")).write_bytes(b"")
    outcome = prepare(RECIPE, Carved(source=source, out=tmp_path / "out", check=True))
    empty = [problem for problem in outcome.problems if "empty (0 bytes)" in problem]
    assert len(empty) == 1
    assert empty[0].startswith("2 files are empty")
    assert "a5x.mp4" in empty[0]


def test_unless_told_otherwise_validation_is_left_to_the_runs(source, tmp_path):
    outcome = prepare(RECIPE, Carved(source=source, out=tmp_path / "out", check=True))
    assert outcome.problems == []
    assert Counter(c.split for c in outcome.clips) == {"train": 24, "test": 8}
    assert "val: each run draws its own from train" in outcome.summary(checked=True)


def test_missing_files_are_counted_listed_and_fail_the_check(source, tmp_path):
    for name in ("a5x", "b0y"):
        (source / "clips" / f"{name}.mp4").unlink()
    out = tmp_path / "out"
    outcome = prepare(RECIPE, Carved(source=source, out=out, check=True))
    assert len(outcome.clips) == 30
    assert len(outcome.problems) == 1
    assert "2 of 32 listed clips have no file (train 1, test 1): a5x, b0y" in outcome.problems[0]
    listed = (out / "missing.txt").read_text().splitlines()
    assert listed == [f"{name}\t{source / 'clips' / name}.mp4" for name in ("a5x", "b0y")]
    for name in ("a5x", "b0y"):
        (source / "clips" / f"{name}.mp4").write_text(name)
    prepare(RECIPE, Carved(source=source, out=out))
    assert not (out / "missing.txt").exists()


def test_other_counts_than_published_fail_the_check(source, tmp_path):
    clips = [clip(name) for name in NAMES[1:]]
    short = Recipe(name="s", title="S", options=Carved, known=known, listing=lambda _: Listing(clips))
    problems = prepare(short, Carved(source=source, out=tmp_path / "out", check=True)).problems
    assert problems == [
        "Other numbers of clips are listed than published: test 7 instead of 8.",
        "31 clips are listed instead of the published 32.",
        "1 class(es) differ from the published counts: a test 3 instead of 4.",
    ]


@pytest.mark.parametrize("content", ["group", "file"])
def test_leaks_fail_the_check(source, tmp_path, content):
    if content == "file":
        (source / "clips" / "a0x.mp4").write_text("b7y")
    options = Carved(source=source, out=tmp_path / "out", check=True, leak=content == "group")
    problems = "\n".join(prepare(RECIPE, options).problems)
    assert f"same {'group' if content == 'group' else 'file content'} in two splits" in problems


def test_clips_set_aside_count_as_listed_and_never_as_missing(source, tmp_path):
    (source / "clips" / "a0x.mp4").unlink()
    aside = {"clips are spoilt": ["a0x", "b7y"], "clips are none": []}
    spoilt = Recipe(
        name="spoilt", title="Spoilt", options=Carved, known=known,
        listing=lambda _: Listing([*map(clip, NAMES)], set_aside=aside, notes={"dogs bark": ["Rex"]}),
    )  # fmt: skip
    outcome = prepare(spoilt, Carved(source=source, out=tmp_path / "out", check=True))
    assert outcome.problems == []
    assert {"a0x", "b7y"}.isdisjoint(c.id for c in read_manifest(outcome.manifest).clips)
    text = outcome.summary(checked=False)
    assert "2 clips are spoilt; set aside: a0x, b7y\n1 dog bark: Rex\n" in text
    assert "clips are none" not in text


def test_an_official_validation_split_is_kept_and_none_is_carved(source, tmp_path):
    clips = [clip(name, **({"split": "val"} if name[1] == "7" else {})) for name in NAMES]
    official = Recipe(name="o", title="O", options=BaseOptions, listing=lambda _: Listing(clips))
    outcome = prepare(official, BaseOptions(source=source, out=tmp_path / "out"))
    assert not outcome.carved
    assert [c.split for c in outcome.clips] == [c.split for c in clips]


def test_features_in_one_file_are_relative_too(source, tmp_path):
    (source / "v.csv").write_text("1\n")
    clips = [clip(name, video=None, features={"visual": f"v.csv#{i}"}) for i, name in enumerate(NAMES)]
    clips.append(clip("a9x", features={"visual": "gone.csv#0"}))
    recipe = Recipe(name="f", title="F", options=Carved, listing=lambda _: Listing(clips))
    outcome = prepare(recipe, Carved(source=source, out=tmp_path / "out"))
    assert outcome.clips[3].features == {"visual": "../download/v.csv#3"}
    assert list(outcome.missing) == ["a9x"]


def test_repeated_ids_and_empty_downloads_are_refused(source, tmp_path):
    twice = Recipe(name="t", title="T", options=Carved, listing=lambda _: Listing([clip("a0x")] * 2))
    with pytest.raises(InputError, match=r"1 clip is listed more than once: a0x"):
        prepare(twice, Carved(source=source, out=tmp_path / "out"))
    with pytest.raises(InputError, match=r"None of the 32 clips .* Looked for: .*a0x\.mp4"):
        prepare(RECIPE, Carved(source=tmp_path, out=tmp_path / "out"))
    with pytest.raises(InputError, match=r"There is no .*nowhere"):
        prepare(RECIPE, Carved(source=tmp_path / "nowhere", out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_command_prints_and_exits_as_promised(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(RECIPE, ["--source", "download", "--check"])
    assert "all files are there" in capsys.readouterr().out
    assert (tmp_path / "data" / "made_up" / "manifest.jsonl").is_file()
    (source / "clips" / "a5x.mp4").unlink()
    main(RECIPE, ["--source", "download"])
    assert "1 listed clip has no file: a5x" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(RECIPE, ["--source", "download", "--check"])
    assert stopped.value.code == 1
    with pytest.raises(SystemExit) as stopped:
        main(RECIPE, ["--source", "elsewhere"])
    assert stopped.value.code == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("hashing: 31 of 31")
    assert told[1].startswith("mmvideo: error: There is no")
    with pytest.raises(SystemExit) as stopped:
        main(RECIPE, ["--help"])
    text = capsys.readouterr().out
    assert all(
        word in text for word in ("https://example.org", "Licence: free", "it does not exist", "--leak")
    )


def test_copies_in_two_splits_are_left_out_but_the_first(source, tmp_path):
    for copy, first in (("a2x", "a0x"), ("b5y", "b1x"), ("a3y", "a4x")):  # the last two are both in train
        (source / "clips" / f"{copy}.mp4").write_text(first)
    (source / "clips" / "a4x.mp4").write_text("a4x")
    out = tmp_path / "out"
    leaky = prepare(RECIPE, Carved(source=source, out=out, check=True))
    assert "`prepare … --dedupe keep-first` keeps those of the split that is listed first" in "\n".join(
        leaky.problems
    )
    outcome = prepare(RECIPE, Carved(source=source, out=out, check=True, dedupe="keep-first"))
    assert outcome.problems == []
    kept = {clip.id for clip in read_manifest(outcome.manifest).clips}
    assert set(NAMES) - kept == {"a2x", "b5y"}
    assert (out / "dropped.txt").read_text() == "a2x\ta0x\nb5y\tb1x\n"
    told = "2 clips hold a file that a clip of another split holds (named in dropped.txt); set aside: "
    assert f"{told}a2x, b5y" in (out / "report.txt").read_text()
    prepare(RECIPE, Carved(source=source, out=out))
    assert not (out / "dropped.txt").exists()


def test_a_test_split_of_one_group_is_told(source, tmp_path):
    clips = [clip(name, **({"group": "g"} if name[1] in "01" else {})) for name in NAMES]
    recipe = Recipe(name="o", title="O", options=Carved, listing=lambda _: Listing(clips))
    outcome = prepare(recipe, Carved(source=source, out=tmp_path / "out"))
    assert "All 8 test clips are of one group (g): intervals are over clips" in outcome.summary(checked=False)
