"""Labels of every kind: from a manifest's line through the audit to a batch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from mmvideo.clips.audit import AuditReport, audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import classes_of, target, task_of
from mmvideo.clips.manifest import Clip, Manifest, read_manifest, write_manifest
from mmvideo.clips.validation import carve_validation
from mmvideo.data.collate import collate
from mmvideo.data.dataset import Sample
from mmvideo.errors import InputError

SPLIT_OF = {"1": "train", "2": "train", "3": "val", "4": "test"}


def clip(name: str, label: Any, split: str | None = None, group: str | None = None) -> Clip:
    return Clip(
        id=name, label=label, group=group or name, split=split or SPLIT_OF[name],  # type: ignore[arg-type]
        metadata={"title": name},
    )  # fmt: skip


def check(tmp_path: Path, labels: list[Any], task: Any) -> AuditReport:
    clips = [clip(str(place), label) for place, label in enumerate(labels, start=1)]
    return audit(Manifest(tuple(clips), tmp_path), hashes=ContentHashes(tmp_path / "h.json"), task=task)


@pytest.mark.parametrize(
    ("label", "task", "classes"),
    [
        ("run", "single_label", ("run",)),
        (["run", "talk"], "multi_label", ("run", "talk")),
        ([], "multi_label", ()),
        (2, "regression", ()),
        (-0.5, "regression", ()),
    ],
)
def test_a_label_survives_the_file_and_tells_its_task(tmp_path: Path, label, task, classes) -> None:
    write_manifest(tmp_path / "m.jsonl", [clip("1", label)])
    assert json.loads((tmp_path / "m.jsonl").read_text())["label"] == label
    read = read_manifest(tmp_path / "m.jsonl").clips[0]
    assert read == clip("1", label)
    assert (task_of(read.label), classes_of(read.label)) == (task, classes)


@pytest.mark.parametrize("label", ["", True, None, float("nan"), [""], ["a", 1], ["a", "a"], {"a": 1}])
def test_what_is_no_label_is_refused_in_one_message(label) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as error:
        clip("1", label)
    assert "a list of different ones (multi-label), or a finite number" in str(error.value)


def test_a_manifest_with_labels_of_two_kinds_is_refused_by_line(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.jsonl", [clip("1", "run"), clip("2", ["run"]), clip("3", 0.5)])
    with pytest.raises(InputError, match="2 bad row") as error:
        read_manifest(tmp_path / "m.jsonl")
    assert "m.jsonl:2: label ('run',) is for multi_label, but the first label, 'run'," in str(error.value)
    assert "m.jsonl:3: label 0.5 is for regression" in str(error.value)


def test_classes_are_those_of_all_lists_and_none_for_numbers(tmp_path: Path) -> None:
    many = Manifest((clip("1", ["b10", "a"]), clip("2", []), clip("3", ["b9", "a"])), tmp_path)
    assert many.classes == ("a", "b9", "b10")
    assert Manifest((clip("1", 1.0),), tmp_path).classes == ()


@pytest.mark.parametrize(
    ("labels", "task", "message"),
    [
        (
            [1, 2, 3, 4],
            "single_label",
            r"4 labels do not fit data.task 'single_label'.*one class.*1: 1.0",
        ),
        (["a", "a", "a", "a"], "regression", r"a label is a number: 1: 'a', .*\(single_label\)"),
        (["a", "a", "a", "a"], "multi_label", "a label is a list of classes"),
        ([["a"], [], ["b"], ["a"]], "multi_label", "1 class.es. stand in val or test and not in train: b"),
        ([["a"], [], [], ["a"]], "multi_label", "no clip of split 'val' has any label"),
    ],
)
def test_the_audit_names_what_does_not_fit(tmp_path: Path, labels, task, message) -> None:
    with pytest.raises(InputError, match=message):
        check(tmp_path, labels, task)


def test_the_audit_counts_every_class_of_a_clip(tmp_path: Path) -> None:
    report = check(tmp_path, [["a", "b"], [], ["a"], ["b"]], "multi_label")
    assert report.classes == {
        "a": {"train": 1, "val": 1, "test": 0},
        "b": {"train": 1, "val": 0, "test": 1},
    }
    assert report.clips["train"] == 2


def test_the_audit_tells_the_range_of_numbers(tmp_path: Path) -> None:
    report = check(tmp_path, [-1, 2, 0.25, 3], "regression")
    assert report.classes == {}
    assert report.values["label mean"] == {"train": 0.5, "val": 0.25, "test": 3}
    assert report.values["label min"]["train"] == -1
    lines = report.summary().splitlines()
    assert [line.split()[-3:] for line in lines if line.startswith("label max")] == [["2", "0.25", "3"]]


def test_carving_looks_at_every_class_of_a_clip() -> None:
    clips = [clip(f"{i}", ["all", "odd" if i % 2 else "even"], "train", f"g{i}") for i in range(40)]
    carved = carve_validation(clips, 0.25, seed=0)
    count = Counter((name, c.split) for c in carved for name in classes_of(c.label))
    assert (count["odd", "val"], count["even", "val"]) == (5, 5)


def test_carving_takes_a_share_of_the_clips_where_labels_are_numbers() -> None:
    clips = [clip(f"{i}", float(i), "train", f"g{i // 2}") for i in range(40)]
    carved = carve_validation(clips, 0.25, seed=0)
    assert Counter(c.split for c in carved) == {"train": 30, "val": 10}


def test_targets_and_batches() -> None:
    index = {"a": 0, "b": 1, "c": 2}
    assert target("b", index) == 1
    assert target(("c", "a"), index) == (1.0, 0.0, 1.0)
    assert target((), index) == (0.0, 0.0, 0.0)
    assert target(-1.5, {}) == -1.5
    sound = {"audio": (torch.ones(1, 4), torch.zeros(1))}

    def labels(*targets: Any) -> torch.Tensor:
        return collate([Sample(str(i), t, sound) for i, t in enumerate(targets)]).labels

    assert (labels(1, 0).dtype, labels(1, 0).tolist()) == (torch.int64, [1, 0])
    numbers = labels(0.5, -2.0)
    assert (numbers.dtype, numbers.tolist()) == (torch.float32, [0.5, -2.0])
    several = labels((1.0, 0.0), (0.0, 0.0))
    assert (several.dtype, several.tolist()) == (torch.float32, [[1, 0], [0, 0]])
