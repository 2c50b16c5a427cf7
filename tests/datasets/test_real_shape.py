"""A tree as people have them: `folder` and `table` count every clip, with its sound and its words."""

import os
from collections import Counter
from unicodedata import normalize

import av
import numpy as np
import pytest

from mmvideo.clips.manifest import read_manifest
from mmvideo.recipes import prepare
from mmvideo.store.subtitles import read_words

ROLLING = """WEBVTT
Kind: captions

00:00:00.400 --> 00:00:01.600
\x20
red<00:00:00.800><c> kites</c>

00:00:01.600 --> 00:00:01.610
red kites
\x20

00:00:01.610 --> 00:00:03.000
red kites
climb<00:00:02.000><c> over</c>
"""
CONVERTED = """1
00:00:00,400 --> 00:00:01,600
\x20
red kites

2
00:00:01,600 --> 00:00:01,610
red kites
\x20

3
00:00:01,610 --> 00:00:03,000
red kites
climb over
"""
LAYERS = "[Events]\n" + "".join(
    f"Dialogue: {layer},0:00:00.40,0:00:03.00,Default,,0,0,0,,{{\\blur2}}red kites\\Nclimb over\n"
    for layer in (0, 1)
)
SPOKEN = ["red", "kites", "climb", "over"]
MEETING, RUN = "Réunion d'équipe", "jump & run"


def sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def tree(tmp_path, make_files, video):
    """20 clips in two classes, 4 of them with sound of their own, 4 with subtitles."""
    source = tmp_path / "my clips"
    make_files(source, [f"{MEETING}/speaker {s}/take {t}.mp4" for s in (1, 2, 3) for t in (1, 2)])
    make_files(source, [f"{RUN}/place {p}/{name}" for p in (1, 2, 3) for name in ("été.MTS", "b.ogv")])
    # one class, spelled in the other Unicode form by another system
    make_files(
        source, [f"{normalize('NFD', MEETING)}/speaker 4/{name}" for name in ("x.gif", "y.M2TS", "z.mp4")]
    )
    (source / normalize("NFD", f"{RUN}/place 1/été.srt")).write_text(CONVERTED)
    (source / MEETING / "speaker 1/take 1.en-US.vtt").write_text(ROLLING)
    (source / MEETING / "speaker 1/take 2.ass").write_text(LAYERS)
    # a downloader without FFmpeg: sound in .m4a, and in .webm, which may hold either
    make_files(source, [f"{RUN}/place 4/{name}" for name in ("a b.f137.mp4", "a b.f140.m4a", "lone.wav")])
    video("picture.webm", frames=2, codec="libvpx").rename(source / RUN / "place 4/c.f248.webm")
    sound_only(source / RUN / "place 4/c.f251.webm")
    (source / RUN / "place 4/c.en.auto.vtt").write_text(ROLLING)
    make_files(source, [f"{RUN}/place 4/c.info.json"])
    # links: a folder elsewhere, a file under a second name, a circle, one that leads nowhere
    make_files(tmp_path / "other disk", ["one.mp4", "two.mp4", "two.wav"])
    (source / RUN / "linked").symlink_to(tmp_path / "other disk")
    (source / RUN / "linked again.mp4").symlink_to(tmp_path / "other disk" / "one.mp4")
    (source / MEETING / "up").symlink_to(source)
    (source / MEETING / "gone.mp4").symlink_to(tmp_path / "nowhere")
    make_files(source, [f"{MEETING}/.DS_Store", f"{MEETING}/._x.mp4", f"{RUN}/half.mp4.part", "loose.mp4"])
    make_files(source, ["notes.txt", f"{RUN}/scan.jpg", f"{RUN}/place 1/b.ttml"])
    with open(os.fsencode(source / RUN) + b"/caf\xe9.mp4", "w"):
        pass
    return source


def test_a_folder_of_real_shape_is_counted_exactly(load_recipe, tree, tmp_path, rows):
    folder = load_recipe("folder")
    options = folder.Options(source=tree, out=tmp_path / "out", group="^([^/]+)", check=True)
    outcome = prepare(folder.RECIPE, options)
    clips = rows(outcome)
    assert Counter(clip.label for clip in clips.values()) == {MEETING: 9, RUN: 11}
    own_sound = {name for name, clip in clips.items() if clip.audio}
    assert own_sound == {f"{RUN}/place 4/{n}" for n in ("a b", "c", "lone")} | {f"{RUN}/linked/two"}
    assert sum(clip.video is None for clip in clips.values()) == 1
    manifest = read_manifest(outcome.manifest)
    words = {c.id: read_words(path) for c in manifest.clips if (path := manifest.path(c, "subtitles"))}
    assert words.keys() == {
        *(f"{MEETING}/speaker 1/take {t}" for t in (1, 2)),
        *(f"{RUN}/place 1/été", f"{RUN}/place 4/c"),
    }
    assert all([word.text for word in found] == SPOKEN for found in words.values())
    for name in (f"{MEETING}/speaker 1/take 1", f"{RUN}/place 4/c"):
        assert [word.start for word in words[name]] == [0.4, 0.8, 1.61, 2.0]
    told = {what: len(names) for what, names in (outcome.notes | outcome.unused).items()}
    assert {" ".join(what.split()[:4]): count for what, count in told.items()} == {
        "names are not UTF-8": 1,
        "links or folders lead": 2,
        "files are unfinished downloads": 1,
        "videos or sound files": 1,
        "names begin with a": 2,
        "files are of a": 1,
        "subtitles are of a": 1,
        "files lie outside of": 1,
        "subtitles or metadata lie": 1,
        "files are a clip": 1,
    }
    assert len(outcome.problems) == 4
    assert r"caf\xe9.mp4" in (tmp_path / "out" / "report.txt").read_text()


def test_a_table_that_names_the_same_tree(load_recipe, tree, tmp_path, rows):
    table = load_recipe("table")
    named = {f"{MEETING}/speaker {s}/take {t}.mp4": MEETING for s in (1, 2, 3) for t in (1, 2)}
    named |= {f"{MEETING}/speaker 4/z.mp4": MEETING}  # on disk in the other Unicode form
    named |= {normalize("NFD", f"{RUN}/place {p}/été.MTS"): RUN for p in (1, 2, 3)}
    named |= {f"{RUN}/linked/{name}.mp4": RUN for name in ("one", "two")}
    named |= {f"{RUN}/place 4/c.f248.webm": RUN, f"{RUN}/absent é.mp4": RUN}
    lines = [f'"{path}",{label},{path.split("/")[1]},' for path, label in named.items()]
    lines[-2] += f"{RUN}/place 4/c.en.auto.vtt"
    (tree / "clips.csv").write_text(
        "\n".join(["video,label,group,subtitles", *lines]) + "\n", encoding="utf-8"
    )
    outcome = prepare(table.RECIPE, table.Options(source=tree / "clips.csv", out=tmp_path / "out"))
    clips = rows(outcome)
    assert Counter(clip.label for clip in clips.values()) == {MEETING: 7, RUN: 6}
    assert [path.name for paths in outcome.missing.values() for path in paths] == ["absent é.mp4"]
    assert sum(clip.subtitles is not None for clip in clips.values()) == 1
