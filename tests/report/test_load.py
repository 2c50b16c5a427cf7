from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import reseal, rewrite

from mmvideo.components import EncoderChoice
from mmvideo.config import Input, TrainConfig
from mmvideo.errors import InputError
from mmvideo.records import open_run
from mmvideo.report.load import load_study
from mmvideo.study_records import ArmRecord, StudyRecord
from mmvideo.vocabulary import MODALITIES

MakeStudy = Callable[..., Path]


def change_study(folder: Path, **changes: object) -> None:
    record = StudyRecord.model_validate_json((folder / "study.json").read_text())
    rewrite(folder / "study.json", record.model_copy(update=changes))


def run_folder(study: Path, name: str) -> Path:
    return study / f"{name}-0123456789"


def test_reads_every_arm_in_order(make_study: MakeStudy, arms: dict[str, Any]) -> None:
    study = load_study(make_study(n_clips=40))
    assert [arm.name for arm in study.arms] == list(arms)
    assert [run.result.seed for run in study.arms[0].runs] == [0, 1, 2]
    assert study.arms[0].outputs.shape == (3, 40, 4)
    assert study.clips.groups[:6].tolist() == ["g0"] * 5 + ["g1"]
    assert study.missing == ()


def test_clips_are_aligned_by_id_not_by_line(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    expected = load_study(folder).arms[0].outputs
    file = run_folder(folder, "hierarchical-s1") / "predictions_test.jsonl"
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    reseal(file.parent)
    assert (load_study(folder).arms[0].outputs == expected).all()


def test_unfinished_runs_are_listed_and_their_arm_left_out(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40, skip=("late-s2",))
    (run_folder(folder, "text-s0") / "result.json").unlink()
    study = load_study(folder)
    assert study.missing == ("late-s2", "text-s0")
    assert study.left_out == ("late", "text")
    assert study.n_runs == 18
    assert "late" not in [arm.name for arm in study.arms]


def test_runs_the_study_does_not_list_are_named(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    arms = load_study(folder).arms
    kept = tuple(ArmRecord(name=arm.name, role=arm.role) for arm in arms if arm.name != "late")
    change_study(folder, arms=kept)
    study = load_study(folder)
    assert study.unlisted == tuple(f"late-s{seed}-0123456789" for seed in range(3))


def test_curve_uses_epochs_that_all_seeds_reached(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    file = run_folder(folder, "text-s1") / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if json.loads(line)["epoch"] <= 7))
    reseal(file.parent)
    arm = next(arm for arm in load_study(folder).arms if arm.name == "text")
    curve = arm.validation_curve()
    assert curve["epoch"].tolist() == list(range(1, 8))
    assert (curve["low"] <= curve["mean"]).all()
    assert (curve["mean"] <= curve["high"]).all()


OTHER_ENCODER = {name: Input.of(name) for name in MODALITIES} | {
    "visual": Input.of("visual", EncoderChoice.of("cnn_lstm", dropout=0.5))
}


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"train": TrainConfig(learning_rate=0.01)}, "train.learning_rate"),
        ({"width": 32}, "width"),
        ({"inputs": OTHER_ENCODER}, "inputs.visual.encoder.options.dropout"),
    ],
)
def test_arms_that_differ_beside_the_axes_are_refused(
    make_study: MakeStudy, arms: dict[str, Any], fake_arm: type, config: dict[str, object], key: str
) -> None:
    arms["odd"] = fake_arm(0.7, fusion="late", config=config)
    with pytest.raises(InputError, match=rf"odd-s0.*differ in .*{key}"):
        load_study(make_study(arms, n_clips=40))


def test_an_unused_encoder_may_drop_out_with_its_modality(make_study: MakeStudy, fake_arm: type) -> None:
    arms = {"all": fake_arm(0.7), "text": fake_arm(0.5, ("text",), "control", "single")}
    assert len(load_study(make_study(arms, n_clips=40)).arms) == 2


def test_the_seeds_of_an_arm_may_differ_in_nothing_else(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    run = run_folder(folder, "late-s1")
    reseal(run, deciding=open_run(run).deciding | {"fusion": {"name": "early", "options": {}}})
    with pytest.raises(InputError, match=r"late-s0.*late-s1.*only in seed.*fusion\.name"):
        load_study(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_fingerprint": "beef"}, "different data .*f00d and beef"),
        ({"manifest": "d00d"}, "different data .*manifest cafe and d00d"),
        ({"classes": ("left", "right", "up", "away")}, "other classes"),
        ({"task": "multi_label"}, "for the task 'multi_label'"),
        ({"contents": {"visual.weights": "1"}}, r"late-s0.*late-s1.*only in seed.*visual\.weights"),
    ],
)
def test_other_data_is_refused(make_study: MakeStudy, change: dict[str, object], message: str) -> None:
    folder = make_study(n_clips=40)
    reseal(run_folder(folder, "late-s1"), **change)
    with pytest.raises(InputError, match=message):
        load_study(folder)


@pytest.mark.parametrize("repeated", [False, True])
def test_other_clips_are_refused_by_name(make_study: MakeStudy, repeated: bool) -> None:
    folder = make_study(n_clips=40)
    file = run_folder(folder, "late-s1") / "predictions_test.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[7]] if repeated else [*lines[:7], *lines[8:]]))
    reseal(file.parent)
    with pytest.raises(InputError, match=r"late-s1.*1 ids differ \(clip0007\)"):
        load_study(folder)


def test_two_finished_runs_of_one_seed_are_refused(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    other = folder / "late-s1-9999999999"
    shutil.copytree(run_folder(folder, "late-s1"), other)
    reseal(
        other,
        signature="9999999999",
        deciding=open_run(run_folder(folder, "late-s1")).deciding | {"width": 32},
    )
    with pytest.raises(InputError, match=r"two finished runs.*differ in width"):
        load_study(folder)


def test_nothing_to_compare(make_study: MakeStudy, fake_arm: type, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study\.json"):
        load_study(tmp_path)
    with pytest.raises(InputError, match="no arm with all of its seeds"):
        load_study(make_study({"late": fake_arm(0.6)}, n_clips=40, skip=("late-s0",)))


def test_runs_of_an_earlier_configuration_are_left_out(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=40)
    current = tuple(result.parent.name for result in folder.glob("*/result.json"))
    other = folder / "late-s1-9999999999"
    shutil.copytree(run_folder(folder, "late-s1"), other)
    reseal(other, signature="9999999999")
    change_study(folder, runs=current)
    study = load_study(folder)
    assert study.unlisted == (other.name,)
    assert study.missing == ()


@pytest.mark.parametrize("field", ["label", "group"])
def test_other_labels_or_groups_are_refused_by_clip(make_study: MakeStudy, field: str) -> None:
    folder = make_study(n_clips=40)
    file = run_folder(folder, "late-s2") / "predictions_test.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[3][field] = next(line[field] for line in lines if line[field] != lines[3][field])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    reseal(file.parent)
    with pytest.raises(InputError, match=rf"late-s2.* saw other {field}s .* on 1 of .* clip0003"):
        load_study(folder)


def test_presence_goes_by_name(make_study: MakeStudy) -> None:
    study = load_study(make_study(n_clips=40))
    present = study.arms[0].runs[0].present
    assert list(present) == ["visual", "audio", "text"]
    assert present["audio"].tolist() == [i % 10 != 0 for i in range(40)]
    assert study.modalities == ("visual", "audio", "text")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, rows[0]], "has clip clip0000 2 times"),
        (lambda rows: [{**rows[0], "log_probabilities": [float("nan")] * 4}, *rows[1:]], "are no numbers"),
    ],
    ids=["twice", "NaN"],
)
def test_predictions_that_cannot_be_scored_are_refused(
    make_study: MakeStudy, change: Callable[[list[Any]], list[Any]], message: str
) -> None:
    study = make_study(n_clips=20)
    for folder in study.glob("*-s*-*"):
        file = folder / "predictions_test.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))
        reseal(folder)
    with pytest.raises(InputError, match=message):
        load_study(study)
