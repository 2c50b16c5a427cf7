import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.errors import InputError
from mmvideo.recipes import prepare
from mmvideo.recipes.discovery import LONE_PART, readable


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
        "subtitles or metadata lie beside no video or sound file of their name": ["cat/lonely.srt"],
        "files lie outside of class folders": ["notes.txt"],
    }
    assert "1 file is of a kind that is not read: cat/readme.md" in (tmp_path / "out/report.txt").read_text()


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["cat/s1_take1.avi"], {}, r"s1_take1\.mp4 have one name"),
        (
            ["cat/cafe\u0301.mp4", "cat/caf\u00e9.avi", "cat/caf\u00e9.mp4"],
            {},
            "have one name. Rename",
        ),
        (["cat/cafe\u0301.mp4", "cat/caf\u00e9.mp4"], {}, "one name but for their Unicode normalisation"),
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


@pytest.mark.parametrize("above", ["", "train/"])
def test_class_folders_without_a_clip_are_told(folder, tmp_path, rows, make_files, above):
    clips = tmp_path / "clips"
    kept = [f"{split}a/{n}.mp4" for split in ({"train/", "test/"} if above else [""]) for n in range(3)]
    make_files(clips, [*kept, f"{above}notes/read.txt", f"{above}gone/.hidden.mp4", f"{above}.git/x.mp4"])
    (clips / f"{above}bare").mkdir()
    outcome = run(folder, clips, tmp_path / "out", check=True)
    assert len(rows(outcome)) == len(kept)
    assert outcome.unused["class folders hold no video or sound file"] == [
        f"{above}{name}" for name in ("bare", "gone", "notes")
    ]
    assert any("3 class folders hold no video or sound file" in problem for problem in outcome.problems)


def told(outcome):
    """File → the beginning of what was told of it."""
    return {name: what[:25] for what, names in (outcome.notes | outcome.unused).items() for name in names}


def test_links_are_followed_and_circles_told(folder, source, tmp_path, rows, make_files):
    make_files(tmp_path / "elsewhere", ["a.mp4", "deep/b.mp4"])
    (source / "hare").symlink_to(tmp_path / "elsewhere")
    (source / "cat" / "more").symlink_to(source / "cat")
    (source / "cat" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (source / "cat" / "again.mp4").symlink_to(source / "cat" / "s1_take1.mp4")
    (source / "dog" / "too.mp4").symlink_to(source / "cat" / "s1_take1.mp4")
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")  # a path that leads up from it leads up from "disk"
    outcome = run(folder, source, tmp_path / "data" / "out", validation_share=0.3, check=True)
    clips = rows(outcome)
    assert clips.keys() > {"hare/a", "hare/deep/b"}
    assert Counter(clip.label for clip in clips.values()) == {"cat": 10, "dog": 11, "hare": 2}
    assert clips["dog/too"].group == clips["cat/again"].group
    assert told(outcome) == {
        "cat/gone.mp4": "links or folders lead now",
        "cat/more": "links or folders lead now",
        "cat/s1_take1.mp4": "files are a clip of the s",
        "dog/too.mp4": "files are clips of severa",
    }
    assert "2 links or folders lead nowhere" in outcome.problems[0]


def test_what_downloaders_leave_is_joined_or_told(folder, source, tmp_path, rows, make_files):
    make_files(source, ["cat/talk.f137.mp4", "cat/talk.f140.m4a", "cat/talk.en.vtt", "cat/talk.info.json"])
    make_files(source, ["cat/x.mp4", "cat/x.f137.mp4", "cat/x.f140.m4a", "dog/y.f137.mp4", "dog/z.mp4.part"])
    make_files(source, ["dog/camera.f1.mp4", "dog/camera.f2.mp4", "dog/z.mp4", "dog/z.gif", "dog/._z.mp4"])
    make_files(source, ["dog/w.temp.mp4", "dog/w.mp4.ytdl"])
    outcome = run(folder, source, tmp_path / "out")
    clips = rows(outcome)
    talk = clips["cat/talk"]
    assert (talk.video, talk.audio) == ("../clips/cat/talk.f137.mp4", "../clips/cat/talk.f140.m4a")
    assert talk.subtitles == "../clips/cat/talk.en.vtt"
    assert clips.keys() >= {"cat/x", "dog/y.f137", "dog/camera.f1", "dog/camera.f2", "dog/z"}
    assert len(clips) == 26
    assert told(outcome) == {
        "cat/talk.info.json": "subtitles or metadata lie",
        "cat/x.f137.mp4": "files are parts of a down",
        "cat/x.f140.m4a": "files are parts of a down",
        "dog/y.f137.mp4": "files look like one part ",
        "dog/camera.f1.mp4": "files look like one part ",
        "dog/camera.f2.mp4": "files look like one part ",
        "dog/z.gif": "pictures stand beside a v",
        "dog/._z.mp4": "names begin with a dot an",
        "dog/w.temp.mp4": "files are unfinished down",
        "dog/w.mp4.ytdl": "files are unfinished down",
        "dog/z.mp4.part": "files are unfinished down",
    }
    assert outcome.problems == [
        "3 files are unfinished downloads: dog/w.mp4.ytdl, dog/w.temp.mp4, dog/z.mp4.part."
    ]


@pytest.mark.parametrize(
    ("beside", "language", "read"),
    [
        (["en.vtt"], None, "en.vtt"),
        (["en-US.vtt"], None, "en-US.vtt"),
        (["en.auto.vtt", "en.srt"], None, "en.srt"),
        (["en-orig.vtt", "en.vtt"], None, "en.vtt"),
        (["vtt", "en.srt"], None, "vtt"),
        (["vtt", "en.srt"], "en", "en.srt"),
        (["de.vtt", "en-GB.vtt", "en-US.vtt"], "en-US", "en-US.vtt"),
        (["de.vtt", "pt-BR.vtt"], "pt", "pt-BR.vtt"),
        (["de.vtt"], "en", None),
        (["zh-Hans.VTT"], None, "zh-Hans.VTT"),
        (["part2.srt"], None, None),
    ],
)
def test_subtitles_are_read_in_one_language(
    folder, source, tmp_path, rows, make_files, beside, language, read
):
    make_files(source, [f"cat/s1_take1.{end}" for end in beside])
    outcome = run(folder, source, tmp_path / "out", language=language)
    subtitles = rows(outcome)["cat/s1_take1"].subtitles
    assert subtitles == (f"../clips/cat/s1_take1.{read}" if read else None)
    assert told(outcome).keys() == {f"cat/s1_take1.{end}" for end in beside if end != read}


def test_several_languages_are_not_guessed_at(folder, source, tmp_path, make_files):
    make_files(source, ["cat/s1_take1.en.vtt", "cat/s1_take1.de.vtt"])
    with pytest.raises(
        InputError, match=r"in several languages \(de, en\)\. Say which, such as --language de"
    ):
        run(folder, source, tmp_path / "out")


def test_class_folders_below_groups(folder, tmp_path, rows, make_files):
    source = tmp_path / "clips"
    make_files(
        source, [f"s{s}/{label}/{t}.mp4" for s in range(4) for label in ("glad", "sad") for t in (1, 2)]
    )
    flat = run(folder, source, tmp_path / "flat")
    assert {clip.label for clip in flat.clips} == {"s0", "s1", "s2", "s3"}
    assert told(flat) == dict.fromkeys(("glad", "sad"), "folder names stand in sev")
    make_files(source, ["s1/stray.mp4"])
    outcome = run(folder, source, tmp_path / "out", level=2, validation_share=0.3)
    clips = rows(outcome)
    assert Counter(clip.label for clip in clips.values()) == {"glad": 8, "sad": 8}
    assert {clip.group for clip in clips.values()} == {"s0", "s1", "s2", "s3"}
    assert outcome.unused == {"videos or sound files lie outside of class folders": ["s1/stray.mp4"]}
    with pytest.raises(InputError, match="--level 0 is none"):
        run(folder, source, tmp_path / "out", level=0)


FIRST = ["a", "é", "e\u0301", ".", " ", "\udcff", "a\n"]
THEN = ["", ".f137", ".f140", ".en", ".de.auto", ".temp"]
ENDS = [
    ".mp4",
    ".MOV",
    ".gif",
    ".webm",
    ".m4a",
    ".wav",
    ".srt",
    ".vtt",
    ".json",
    ".txt",
    ".part",
    ".ttml",
    "",
]
NAMES = st.builds("{}{}{}".format, *map(st.sampled_from, (FIRST, THEN, ENDS)))


@pytest.mark.fuzz
@given(
    st.sets(
        st.tuples(st.sampled_from(["", "train/", "train/x/", "test/x/", "test/x/z/"]), NAMES), max_size=12
    )
)
def test_every_file_is_used_or_named(folder, tmp_path_factory, made):
    source = tmp_path_factory.mktemp("any")
    for place, name in {*made, ("train/x/", "keep.mp4"), ("test/x/", "keep.mp4"), ("test/x/z/", "keep.mp4")}:
        (source / place).mkdir(parents=True, exist_ok=True)
        if name not in (".", ".."):
            (source / place / name).write_text("{}")
    try:
        listing = folder.listing(folder.Options(source=source))
    except InputError as error:
        listing, refusal = None, str(error)
    if listing is None:
        assert "have one name" in refusal or "in several languages" in refusal
        return
    used = [p for clip in listing.clips for p in (clip.video, clip.audio, clip.subtitles) if p]
    named = [
        name
        for what, names in (*listing.notes.items(), *listing.unused.items())
        for name in names
        if what != LONE_PART  # these are clips all the same
    ]
    for path in filter(Path.is_file, source.rglob("*")):
        count = used.count(str(path)) + named.count(readable(path.relative_to(source)))
        assert count == 1 or (count == 0 and path.suffix == ".json")
