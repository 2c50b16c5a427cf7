"""The validation split a run draws: by whole groups, another with every seed, never beside a copy."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from mmvideo.clips.contents import Contents
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.clips.validation import tied_groups, with_train_share, with_validation


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


def test_a_share_of_train_is_stratified_nested_and_of_whole_groups(
    manifest: Manifest, tied: dict[str, str]
) -> None:
    def kept(share: float, seed: int = 0) -> Counter[str]:
        clips = with_train_share(manifest, share, seed, tied).clips
        assert sum(clip.split == "test" for clip in clips) == 1
        return Counter(clip.group for clip in clips if clip.split == "train")

    whole = kept(1.0)
    assert whole == Counter(clip.group for clip in manifest.clips if clip.split == "train")
    shares = [kept(share) for share in (0.01, 0.3, 0.5, 0.8)]
    for smaller, larger in pairwise(shares):
        assert smaller.keys() <= larger.keys(), "what a smaller share has is in a larger one"
    for found in shares:
        assert all(count == whole[group] for group, count in found.items()), "groups are whole"
        assert len({"g0", "g1", "g2"} & found.keys()) in (0, 3), "groups that share files go together"
        assert found, "each class has a group"
    for share, found in zip((0.3, 0.5, 0.8), shares[1:], strict=True):
        assert abs(found.total() - share * whole.total()) <= 6, "half of the three groups that go together"
    assert len({tuple(sorted(kept(0.5, seed))) for seed in range(5)}) > 1, "each seed draws its own"


def test_classes_of_unequal_size_keep_their_proportions_in_a_share(tmp_path: Path) -> None:
    """90 groups of one class, 9 of another and one of a third."""
    labels = "a" * 90 + "b" * 9 + "c"
    clips = [Clip(id=f"{i}", label=label, group=f"g{i}", split="train", video=f"{i}.mp4")
             for i, label in enumerate(labels)]  # fmt: skip
    kept = with_train_share(Manifest(tuple(clips), tmp_path), 1 / 3, 0, {}).clips
    found = Counter(clip.label for clip in kept)
    assert abs(found["a"] - 30) <= 2
    assert abs(found["b"] - 3) <= 2
    assert found["c"] == 1
