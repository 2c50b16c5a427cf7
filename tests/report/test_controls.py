"""The controls computed by hand on six clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmvideo.config import NamedConfig, RunConfig
from mmvideo.report.controls import majority, presence_only, score_average
from mmvideo.report.records import Arm, Run

TRAIN_PRESENCE = {
    "visual+audio+text": [5, 1, 0],
    "visual+text": [0, 2, 4],
    "text": [0, 3, 1],
}


def arm(name: str, modality: Any, present: list[bool], probabilities: list[list[float]]) -> Arm:
    config = RunConfig(arm=name, modalities=(modality,), fusion=NamedConfig(name="single"))
    columns = {"visual": 0, "audio": 1, "text": 2}
    table = np.zeros((len(present), 3), dtype=bool)
    table[:, columns[modality]] = present
    return Arm(
        name, "control", (Run(Path(name), config, {}, {}, pd.DataFrame(), np.log(probabilities), table),)
    )


def test_majority_counts_over_all_patterns() -> None:
    # class totals 5, 6, 5
    predictions = majority(TRAIN_PRESENCE, 6)
    assert predictions.argmax(axis=1).tolist() == [1] * 6
    assert np.exp(predictions[0]) == pytest.approx([6 / 19, 7 / 19, 6 / 19])


def test_presence_only_follows_the_pattern_and_falls_back_on_the_majority() -> None:
    present = np.array([
        [True, True, True],
        [True, False, True],
        [False, False, True],
        [True, True, True],
        [False, True, False],  # never seen in training
        [False, False, False],  # nor this
    ])  # fmt: skip
    predictions = presence_only(TRAIN_PRESENCE, present)
    assert predictions.argmax(axis=1).tolist() == [0, 2, 1, 0, 1, 1]
    assert np.exp(predictions).sum(axis=1) == pytest.approx(np.ones(6))


@pytest.mark.parametrize("nothing", ["", "none"])
def test_presence_only_knows_the_clip_with_nothing(nothing: str) -> None:
    predictions = presence_only({"visual": [9, 0], nothing: [0, 4]}, np.zeros((1, 3), dtype=bool))
    assert predictions.argmax(axis=1).tolist() == [1]


def test_score_average_uses_what_is_present() -> None:
    visual = arm(
        "visual", "visual", [True, True, False, False, True, False],
        [[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]],
    )  # fmt: skip
    text = arm(
        "text", "text", [True, True, True, False, False, True],
        [[0.3, 0.7], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9], [0.2, 0.8]],
    )  # fmt: skip
    first_class = np.exp(score_average([visual, text]))[0, :, 0]
    # both, both, text alone, neither (so both), visual alone, text alone
    assert first_class == pytest.approx([0.6, 0.35, 0.4, 0.4, 0.5, 0.2])
