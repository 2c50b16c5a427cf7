"""The validation split a run draws: by whole groups, another with every seed, never beside a copy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mmvideo.clips.contents import Contents
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.clips.validation import tied_groups, with_validation


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Ten groups of two clips of each of two classes, and a test clip; groups 0, 1 and 2 share files."""
    clips = []
    for group in range(10):
        for label in "ab":
            name = f"{label}{group}"
            (tmp_path / f"{name}.mp4").write_text({"a0": "same", "a1": "same"}.get(name, name))
            for part in range(2):
                id, video = f"{name}-{part}", f"{name}.mp4"
                clips.append(Clip(id=id, label=label, group=f"g{group}", split="train", video=video))
    (tmp_path / "b2.mp4").write_bytes((tmp_path / "b1.mp4").read_bytes())
    clips.append(Clip(id="t", label="a", group="t", split="test", video="a9.mp4"))
    return Manifest(tuple(clips), tmp_path)


@pytest.fixture
def tied(manifest: Manifest, tmp_path: Path) -> dict[str, str]:
    return tied_groups(Contents.of(manifest, ContentHashes()))


def test_groups_that_share_files_are_tied_through_one_another(tied: dict[str, str]) -> None:
    assert {name for name in tied if tied[name] == tied["g0"]} == {"g0", "g1", "g2"}


@pytest.mark.parametrize("seed", range(8))
def test_it_takes_whole_groups_and_no_copies(manifest: Manifest, tied: dict[str, str], seed: int) -> None:
    drawn = with_validation(manifest, 0.3, seed, tied)
    splits: dict[str, set[str]] = {}
    for clip in drawn.clips:
        splits.setdefault(clip.group, set()).add(clip.split)
    assert all(len(found) == 1 for found in splits.values())
    assert splits["g0"] == splits["g1"] == splits["g2"]
    assert splits["t"] == {"test"}
    assert [c.group for c in drawn.clips] == [c.group for c in manifest.clips]
    counts = Counter(c.label for c in drawn.split("val"))
    assert counts["a"] == counts["b"]
    assert counts["a"] in (6, 8)  # of 20, and three groups count as one
    assert with_validation(manifest, 0.3, seed, tied) == drawn


def test_seeds_draw_differently(manifest: Manifest, tied: dict[str, str]) -> None:
    drawn = {
        frozenset(clip.id for clip in with_validation(manifest, 0.3, seed, tied).split("val"))
        for seed in range(8)
    }
    assert len(drawn) > 4
