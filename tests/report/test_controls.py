"""The controls computed by hand on six clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import made_result

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.records import Environment
from mmvideo.report.controls import majority, missingness_baseline, score_averaging
from mmvideo.report.runs import ArmRuns, FinishedRun

TRAIN_PRESENCE = {
    "visual+audio+text": [5, 1, 0],
    "visual+text": [0, 2, 4],
    "text": [0, 3, 1],
}


HERE = Environment(
    git_sha=None, git_dirty=None, python="3", platform="", device="", data_fingerprint="", versions={}
)


def arm(folder: Path, modality: Any, present: list[bool], probabilities: list[list[float]]) -> ArmRuns:
    config = RunConfig(arm=modality, modalities=(modality,), fusion=FusionChoice.of("single"))
    result = made_result(folder / f"{modality}-s0-0", config)
    has = {modality: np.array(present)}
    run = FinishedRun(folder, result, HERE, pd.DataFrame(), np.log(probabilities), has)
    return ArmRuns(modality, "control", (run,))


def test_majority_counts_over_all_patterns() -> None:
    # class totals 5, 6, 5
    predictions = majority(TRAIN_PRESENCE, 6)
    assert predictions.argmax(axis=1).tolist() == [1] * 6
    assert np.exp(predictions[0]) == pytest.approx([6 / 19, 7 / 19, 6 / 19])


def test_missingness_follows_the_pattern_and_falls_back_on_the_majority() -> None:
    rows = np.array([
        [True, True, True],
        [True, False, True],
        [False, False, True],
        [True, True, True],
        [False, True, False],  # never seen in training
        [False, False, False],  # nor this
    ])  # fmt: skip
    present = dict(zip(("visual", "audio", "text"), rows.T, strict=True))
    predictions = missingness_baseline(TRAIN_PRESENCE, present)
    assert predictions.argmax(axis=1).tolist() == [0, 2, 1, 0, 1, 1]
    assert np.exp(predictions).sum(axis=1) == pytest.approx(np.ones(6))


@pytest.mark.parametrize("nothing", ["", "none"])
def test_missingness_knows_the_clip_with_nothing(nothing: str) -> None:
    predictions = missingness_baseline({"visual": [9, 0], nothing: [0, 4]}, {"visual": np.array([False])})
    assert predictions.argmax(axis=1).tolist() == [1]


def test_score_averaging_uses_what_is_present(tmp_path: Path) -> None:
    visual = arm(
        tmp_path, "visual", [True, True, False, False, True, False],
        [[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]],
    )  # fmt: skip
    text = arm(
        tmp_path, "text", [True, True, True, False, False, True],
        [[0.3, 0.7], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9], [0.2, 0.8]],
    )  # fmt: skip
    first_class = np.exp(score_averaging([visual, text]))[0, :, 0]
    # both, both, text alone, neither (so both), visual alone, text alone
    assert first_class == pytest.approx([0.6, 0.35, 0.4, 0.4, 0.5, 0.2])


def test_modalities_of_any_name_and_number_count(tmp_path: Path) -> None:
    """Four patterns of four names that no table knows; the order they are written in does not matter."""
    present = {name: np.array(row, dtype=bool) for name, row in {
        "flow": [1, 1, 0, 0], "mrna": [1, 0, 1, 0], "pose": [1, 0, 0, 0], "visual": [0, 0, 1, 0],
    }.items()}  # fmt: skip
    learnt = {"pose+flow+mrna": [9, 0], "flow": [0, 5], "visual+mrna": [1, 8], "none": [7, 1]}
    assert missingness_baseline(learnt, present).argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_a_pattern_with_a_modality_that_no_test_clip_has_is_kept_apart() -> None:
    learnt = {"text": [0, 9], "text+audio": [9, 0]}
    assert missingness_baseline(learnt, {"text": np.array([True])}).argmax() == 1
