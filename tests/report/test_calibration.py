"""Calibration of a study's arms, from run directories to the page's section."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_records import reseal

from mmvideo.evaluation.calibration import fit_temperature
from mmvideo.records import predictions_file
from mmvideo.report.calibration import (
    calibration_frame,
    proper_score_differences,
    reliability_curves,
    risk_coverage_curves,
)
from mmvideo.report.charts import calibration
from mmvideo.report.charts.theme import specification
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.rows import references

CLASSES = ("left", "right", "up", "down")


def test_every_arm_has_its_calibration(make_study: Callable[..., Path]) -> None:
    study = load_study(make_study())
    found = calibration_frame(study).set_index("arm")
    assert list(found.index) == [arm.name for arm in study.arms]
    for arm in study.arms:
        right = np.mean([run.outputs.argmax(1) == study.clips.labels for run in arm.runs])
        assert right == pytest.approx(np.mean([run.result.test["accuracy"] for run in arm.runs]))
        row = found.loc[arm.name]
        parts = row["miscalibration"] - row["discrimination"] + row["uncertainty"]
        assert row["brier"] == pytest.approx(parts)
        assert np.isnan(row["temperature"])  # these have no validation clips
    curves = reliability_curves(study, found.index), risk_coverage_curves(study, found.index)
    assert all(set(curve["arm"]) == set(found.index) for curve in curves)
    whole = curves[1].query("coverage == 1").set_index("arm")["risk"]
    for arm in study.arms:
        error = 1 - np.mean([run.outputs.argmax(1) == study.clips.labels for run in arm.runs])
        assert whole[arm.name] == pytest.approx(error)


def test_the_chart_is_of_the_arms_it_is_asked_for(make_study: Callable[..., Path]) -> None:
    comparison = compare(load_study(make_study(seeds=(0, 1))))
    drawn = specification(calibration.chart(comparison, ["late", "text"]))
    points = [row for values in drawn["datasets"].values() for row in values]
    assert {row["arm"] for row in points if "arm" in row} == {"late", "text"}
    shares = [row[what] for row in points for what in ("confidence", "right", "coverage") if what in row]
    assert max(shares) > 50, "in %"
    assert min(shares) >= 0
    ends = {row["arm"]: row["risk"] for row in points if row.get("coverage") == 100}
    accuracy = comparison.table.set_index("arm")["accuracy"]
    assert ends == pytest.approx({arm: 100 * (1 - accuracy[arm]) for arm in ("late", "text")}, abs=0.5)


def test_the_temperature_is_that_of_validation(make_study: Callable[..., Path]) -> None:
    folder = make_study(seeds=(0,))
    for run in folder.glob("*-s0-*"):
        (run / predictions_file("val")).write_bytes((run / predictions_file("test")).read_bytes())
        reseal(run)
    study = load_study(folder)
    for arm, row in zip(study.arms, calibration_frame(study).to_dict("records"), strict=True):
        assert row["temperature"] == pytest.approx(fit_temperature(arm.outputs[0], study.clips.labels))
        assert row["nll_scaled"] <= row["nll"]


def test_where_validation_is_all_right_nothing_is_rescaled(make_study: Callable[..., Path]) -> None:
    folder = make_study(seeds=(0, 1))
    for run in folder.glob("*-s*-*"):
        lines = (run / predictions_file("test")).read_text().splitlines(keepends=True)
        kept = [line for line in lines if _is_right(line)] if "-s0-" in run.name else lines
        (run / predictions_file("val")).write_text("".join(kept))
        reseal(run)
    comparison = compare(load_study(folder))
    for row in calibration_frame(comparison.study).to_dict("records"):
        assert row["unfitted"] == 1
        assert row["temperature"] > 0, "of the seed that has errors"
        assert row["nll_scaled"] <= row["nll"]
    section = render(comparison, "").split("<h2>Calibration</h2>")[1].split("<h2>")[0]
    assert section.count("not fitted in 1 of 2 seeds") == len(comparison.study.arms)
    assert "Not fitted: every validation clip is right" in section


def _is_right(line: str) -> bool:
    row = json.loads(line)
    return row["label"] == CLASSES[int(np.argmax(row["log_probabilities"]))]


def test_proper_scores_are_compared_with_intervals(make_study: Callable[..., Path]) -> None:
    comparison = compare(load_study(make_study()))
    study, reference = comparison.study, comparison.best_unimodal
    assert reference is not None
    rows = calibration_frame(study).set_index("arm")
    found = proper_score_differences(study, references(study)).set_index("arm")
    assert set(found.index) == set(rows.index) - {reference}
    for score in ("nll", "brier"):
        expected = rows[score] - rows.loc[reference, score]
        assert found[f"{score}_difference"].to_dict() == pytest.approx(expected.drop(reference).to_dict())
        assert (found[f"{score}_low"] < found[f"{score}_difference"]).all()
        assert (found[f"{score}_difference"] < found[f"{score}_high"]).all()
    shown = render(comparison, "").split("<h2>Calibration</h2>")[1].split("</table>")[0]
    assert f"<th>NLL vs {reference}</th>" in shown
    (arm, difference) = next(iter(found["nll_difference"].items()))
    assert f"{difference:+.3f}".replace("-", "−") in shown, arm
