"""A study's runs as tidy frames, and the package's own names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_records import rewrite

import mmvideo
from mmvideo.config import DataConfig
from mmvideo.files import Damaged, read_record
from mmvideo.study_records import StudyRecord

MakeStudy = Callable[..., Path]


def test_every_name_of_the_package_is_there_and_documented() -> None:
    assert len(mmvideo.NAMES) == 13
    for name in mmvideo.NAMES:
        assert getattr(mmvideo, name).__doc__
        assert name in dir(mmvideo)
    with pytest.raises(AttributeError, match="load_study"):
        mmvideo.nothing  # noqa: B018


def test_frames_say_the_same_as_the_comparison(make_study: MakeStudy) -> None:
    study = mmvideo.load_study(str(make_study()))
    table = mmvideo.compare(study).table.set_index("arm")["accuracy"]
    predictions = mmvideo.prediction_frame(study)
    assert len(predictions) == sum(len(arm.runs) for arm in study.arms) * len(study.clips.ids)
    by_arm = predictions.groupby("arm")["score"].mean()
    for arm in study.arms:
        assert by_arm[arm.name] == pytest.approx(table[arm.name])
    right = predictions["label"] == predictions["predicted"]
    pd.testing.assert_series_equal(right.astype(float), predictions["score"], check_names=False)
    columns = [name for name in predictions if str(name).startswith("log_probability of ")]
    assert len(columns) == len(study.clips.classes)


def test_a_row_per_run_and_its_varied_fields(make_study: MakeStudy) -> None:
    study = mmvideo.load_study(make_study())
    runs = mmvideo.run_frame(study)
    assert len(runs) == len(runs[["arm", "seed"]].drop_duplicates()) == 3 * len(study.arms)
    assert set(runs["fusion.name"]) >= {"single"}
    assert runs["test_accuracy"].between(0, 1).all()
    assert (runs["parameters"] > 0).all()
    curves = mmvideo.curve_frame(study)
    assert {"loss", "accuracy"} <= set(curves["metric"])
    assert set(curves["split"]) == {"train", "val"}
    assert curves["value"].notna().all()


def test_a_field_at_the_value_it_always_had_is_a_value_too(
    make_study: MakeStudy, fake_arm: type[Any]
) -> None:
    """What decides nothing is not in a run's result: `groupby` would drop the arm with all training clips."""
    whole, half = fake_arm(0.8), fake_arm(0.7, config={"data": DataConfig(train_share=0.5)})
    alone = fake_arm(0.5, ("visual",), "control", "single")
    folder = make_study(arms={"late-1": whole, "late-0.5": half, "visual": alone}, n_clips=60)
    record = read_record(folder / "study.json", StudyRecord, "")
    levels = {"late-1": {"share": "1"}, "late-0.5": {"share": "0.5"}, "visual": {}}
    arms = tuple(arm.model_copy(update={"factors": levels[arm.name]}) for arm in record.arms)
    axes = ("data.train_share", "fusion", "modalities")
    rewrite(folder / "study.json", record.model_copy(update={"arms": arms, "axes": axes}))
    runs = mmvideo.run_frame(mmvideo.load_study(folder)).groupby("arm").first()
    assert runs["data.train_share"].to_dict() == {"late-1": 1.0, "late-0.5": 0.5, "visual": 1.0}
    assert runs.loc[["late-1", "late-0.5"], "factor_share"].tolist() == ["1", "0.5"]
    assert pd.isna(runs.loc["visual", "factor_share"])


def test_one_run_is_a_study_of_one(make_study: MakeStudy) -> None:
    folder = next(make_study().glob("late*-s0-*"))
    run = mmvideo.load_run(folder)
    assert len(mmvideo.run_frame(run)) == 1
    assert mmvideo.prediction_frame(run)["seed"].unique().tolist() == [0]


def test_a_run_that_was_edited_is_refused(make_study: MakeStudy) -> None:
    folder = next(make_study().glob("*-s0-*"))
    with (folder / "predictions_test.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(Damaged, match="predictions_test"):
        mmvideo.load_run(folder)


@pytest.mark.parametrize("place", ["", "demo"])
def test_what_is_no_run_is_not_to_be_deleted(make_study: MakeStudy, place: str) -> None:
    """Such as the folder of a study, or of all of them."""
    study = make_study(n_clips=8)
    with pytest.raises(Damaged, match="is no finished run") as told:
        mmvideo.load_run(study.parent / place)
    assert "elete" not in str(told.value)


def test_a_report_is_written_wherever_text_says(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study(n_clips=20)
    _, written = mmvideo.write_report(str(study), str(tmp_path / "out"))
    assert written
    assert (tmp_path / "out" / "report.html").is_file()
