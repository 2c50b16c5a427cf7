"""A planted data set on disk: same seed, same bytes; groups stay in their split; media match the symbols."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import av
import numpy as np
import pytest

from mmvideo.clips.manifest import read_manifest
from mmvideo.errors import InputError
from mmvideo.files import read_json
from mmvideo.planted import PlantedSpec, generate, get_task, planted_task, shown
from mmvideo.planted.generate import draw_world
from mmvideo.store.subtitles import read_words
from mmvideo.vocabulary import SPLITS

SPEC = PlantedSpec(task="mixed", seed=3, train=20, val=8, test=9)


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(SPEC, tmp_path_factory.mktemp("planted"), workers=1)


def test_counts_labels_and_files(planted: Path) -> None:
    manifest = read_manifest(planted)
    assert Counter(clip.split for clip in manifest.clips) == {"train": 20, "val": 8, "test": 9}
    assert len({clip.id for clip in manifest.clips}) == 37
    assert set(manifest.classes) <= {"class0", "class1", "class2", "class3"}
    for clip in manifest.clips:
        for field in ("video", "subtitles"):
            path = manifest.path(clip, field)  # type: ignore[arg-type]
            assert path is None or path.is_file()


def test_what_is_shown_is_known_without_the_files(planted: Path) -> None:
    worlds = shown(SPEC)
    clips = read_manifest(planted).clips
    assert {clip.id: clip.label for clip in clips} == {k: f"class{w.label}" for k, w in worlds.items()}
    for clip in clips:
        assert clip.subtitles is not None or worlds[clip.id].text is None


def test_groups_of_eight_never_cross_splits(planted: Path) -> None:
    splits = defaultdict(set)
    sizes: Counter[str] = Counter()
    for clip in read_manifest(planted).clips:
        splits[clip.group].add(clip.split)
        sizes[clip.group] += 1
    assert all(len(found) == 1 for found in splits.values())
    assert sorted(sizes.values()) == [1, 4, 8, 8, 8, 8]


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(planted: Path, tmp_path: Path) -> None:
    again = generate(SPEC, tmp_path / "again", workers=2)
    assert digests(again.parent) == digests(planted.parent)


def test_another_seed_gives_other_clips(planted: Path, tmp_path: Path) -> None:
    spec = PlantedSpec(task="mixed", seed=4, train=8, val=8, test=8)
    other = digests(generate(spec, tmp_path / "other", workers=1).parent)
    here = digests(planted.parent)
    videos = {name for name in other if name.endswith(".mp4")}
    assert len(videos) == 24
    assert all(other[name] != here[name] for name in videos)


def test_finished_data_is_left_as_it_is(planted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in planted.parent.rglob("*")}
    called = []
    assert generate(SPEC, planted.parent, workers=1, advance=lambda *done: called.append(done)) == planted
    assert {path: path.stat().st_mtime_ns for path in planted.parent.rglob("*")} == before
    assert called == []


def test_data_of_another_specification_or_left_unfinished_is_made_anew(tmp_path: Path) -> None:
    small = PlantedSpec(task="unique_text", train=8, val=8, test=8)
    done: list[tuple[int, int]] = []
    manifest = generate(small, tmp_path, workers=1, advance=lambda *count: done.append(count))
    assert done == [(8, 24), (16, 24), (24, 24)]
    assert planted_task(manifest) == "unique_text"
    complete = digests(tmp_path)
    (tmp_path / "planted.json").unlink()  # written last, so this is what an interrupted attempt leaves
    (tmp_path / "clips" / "train-00003.mp4").write_bytes(b"half")
    generate(small, tmp_path, workers=1)
    assert digests(tmp_path) == complete


def test_the_media_show_the_worlds_that_were_drawn(planted: Path) -> None:
    """Labels, asked-for words and missing tracks agree with a replay of each clip's draw."""
    from mmvideo.seeding import derive_seed

    task = get_task("mixed")
    manifest = read_manifest(planted)
    missing = 0
    for split in SPLITS:
        for number, clip in enumerate(manifest.split(split)):
            world = draw_world(task, np.random.default_rng(derive_seed(3, "mixed", split, "clip", number)))
            assert clip.label == f"class{world.label}"
            video, subtitles = manifest.path(clip, "video"), manifest.path(clip, "subtitles")
            assert video is not None
            with av.open(str(video)) as container:
                assert [(s.width, s.height, s.frames) for s in container.streams.video] == [(64, 64, 16)]
                sounds = len(container.streams.audio)
            missing += (not sounds) + (subtitles is None)
            assert sounds or world.audio is None
            assert subtitles is not None or world.text is None
            if subtitles is not None:
                asked = [w.text for w in read_words(subtitles) if w.text in ("see", "hear", "mmh")]
                assert asked == {0: ["see", "hear"], 1: ["hear", "see"], None: ["mmh", "mmh"]}[world.text]
    assert missing, "the seed is chosen so that a track is missing somewhere"


def test_worlds_are_drawn_with_their_probabilities() -> None:
    task = get_task("routed")
    rng = np.random.default_rng(0)
    counts = Counter(draw_world(task, rng) for _ in range(6400))
    assert set(counts) == set(task.worlds)
    assert all(abs(count - 200) < 5 * np.sqrt(200) for count in counts.values())


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Did you mean 'redundant'\?"):
        generate(PlantedSpec(task="redundnat"), tmp_path)
    with pytest.raises(InputError, match="val has 7 clips; it needs at least 8"):
        generate(PlantedSpec(val=7), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file.*choose another folder"):
        generate(PlantedSpec(), tmp_path / "file")


def test_a_manifest_of_ones_own_is_not_planted(tmp_path: Path) -> None:
    assert planted_task(tmp_path / "manifest.jsonl") is None


def test_the_record_names_what_it_was_made_from(planted: Path) -> None:
    record = read_json(planted.parent / "planted.json")
    assert record.pop("version") >= 1
    assert record == {"task": "mixed", "seed": 3, "train": 20, "val": 8, "test": 9}
