"""Studies: what they refuse, the runs they give, and how a file is read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.files import digest_of
from mmvideo.studies.study import Arm, Study


def arm(name: str, **fields: object) -> Arm:
    return Arm(name, RunConfig(fusion=FusionChoice.of(name), **fields))


def study(*arms: Arm, **fields: object) -> Study:
    given = {"name": "demo", "title": "Demo", "axes": ("fusion",), "seeds": (0, 1)} | fields
    return Study(arms=arms, **given)


def test_runs_come_seed_by_seed_with_their_names_set() -> None:
    runs = study(arm("late"), arm("early")).runs()
    assert [run.label for run in runs] == ["demo/late-s0", "demo/early-s0", "demo/late-s1", "demo/early-s1"]
    assert [run.fusion.name for run in runs] == ["late", "early", "late", "early"]


def test_arms_that_differ_off_the_axes_are_refused_with_the_key() -> None:
    with pytest.raises(InputError, match=r"'late' and 'early' also differ in train\.epochs, which no axis"):
        study(arm("late"), arm("early", train=TrainConfig(epochs=3)))


def test_every_pair_of_arms_is_looked_at() -> None:
    """The first arm has no text encoder, so only the second and third can disagree about it."""
    deeper = Input.of("text", EncoderChoice.of("transformer", layers=3))
    arms = (
        Arm("visual", RunConfig(modalities=("visual",))),
        Arm("visual+text", RunConfig(modalities=("visual", "text"))),
        Arm("text", RunConfig(modalities=("text",), inputs={"text": deeper})),
    )
    with pytest.raises(
        InputError, match=r"'visual\+text' and 'text' also differ in inputs\.text\.encoder\.options\.layers"
    ):
        study(*arms, axes=("modalities",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a/b"}, "cannot name a study"),
        ({"name": ""}, "cannot name a study"),
        ({"seeds": ()}, "needs seeds"),
        ({"seeds": (1, 1)}, "needs seeds, each once"),
        ({"seeds": (-1,)}, "seeds are 0 or greater"),
        ({"axes": ("fusio",)}, "Did you mean 'fusion'"),
        ({"limits": {"task": object()}}, "its limits cannot be written down as JSON"),
        ({"limits": {("visual",): 0.5}}, "its limits cannot be written down as JSON"),
    ],
)
def test_what_cannot_be_a_study(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        study(arm("late"), **fields)


def test_an_arm_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="needs arms, each once"):
        study(arm("late"), arm("late"))


def test_written_study_holds_what_a_report_needs(tmp_path: Path) -> None:
    two = study(
        arm("late"), Arm("text", arm("late").config, "control"), limits={"task": "mixed"}, notes=("no sound",)
    )
    two = replace(two, command="mmvideo ablate mine.py")
    folder = two.write(tmp_path, "data", ["late-s0-0123456789"])
    assert folder == tmp_path / "demo"
    record = json.loads((folder / "study.json").read_text())
    assert len(record.pop("seal")) == 64
    assert record == {
        "version": 3,
        "name": "demo",
        "title": "Demo",
        "axes": ["fusion"],
        "arms": [
            {"name": "late", "role": "fusion", "factors": {}},
            {"name": "text", "role": "control", "factors": {}},
        ],
        "seeds": [0, 1],
        "runs": ["late-s0-0123456789"],
        "limits": {"task": "mixed"},
        "manifest": os.path.relpath(two.manifest, folder),
        "data_fingerprint": "data",
        "notes": ["no sound"],
        "tuning": None,
        "command": "mmvideo ablate mine.py",
    }


def test_a_study_of_other_data_is_not_overwritten(tmp_path: Path) -> None:
    mine, theirs = (RunConfig(data=DataConfig(manifest=f"{name}/manifest.jsonl")) for name in ("a", "b"))
    study(Arm("late", mine)).write(tmp_path, "data")
    study(Arm("late", mine), seeds=(5,)).write(tmp_path, "edited in its place")
    study(Arm("late", theirs)).write(tmp_path, "edited in its place")  # it was moved
    with pytest.raises(InputError, match=r"'demo' of b/manifest\.jsonl; this one reads a/.*--name"):
        study(Arm("late", mine)).write(tmp_path, "other")


def test_one_relative_path_names_other_data_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = study(Arm("late", RunConfig(data=DataConfig(manifest="data/manifest.jsonl"))))
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    same.write(tmp_path / "runs", "data of one")
    monkeypatch.chdir(tmp_path / "two")
    with pytest.raises(InputError, match=r"'demo' of \.\./one/data/manifest\.jsonl; this one reads data/"):
        same.write(tmp_path / "runs", "data of two")


def test_records_of_before_hold_the_manifest_as_it_was_given(tmp_path: Path) -> None:
    mine = study(arm("late"))
    file = mine.write(tmp_path, "data") / "study.json"
    record = json.loads(file.read_text()) | {"manifest": mine.manifest}
    del record["data_fingerprint"], record["seal"]
    file.write_text(json.dumps(record | {"seal": digest_of(record)}))
    mine.refuse_other_data(tmp_path, "other")
