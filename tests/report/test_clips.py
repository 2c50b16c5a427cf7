"""Hard clips and disagreements, of outputs that are set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmvideo.report.charts import subsets
from mmvideo.report.clips import SHOWN, disagreements, hardest
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study
from mmvideo.report.runs import StudyRuns

MakeStudy = Callable[..., Path]


@pytest.fixture
def study(make_study: MakeStudy, fake_arm: type) -> StudyRuns:
    """Both arms are right on all clips, but `late` on the first two never, and `text` on the second never."""
    arms = {"late": fake_arm(0.9), "text": fake_arm(0.9, ("text",), "control", "single")}
    found = load_study(make_study(arms, n_clips=40))

    def with_wrong(name: str, wrong: list[int]) -> object:
        [arm] = [arm for arm in found.arms if arm.name == name]
        predicted = found.clips.labels.copy()
        predicted[wrong] = (predicted[wrong] + 1) % 4
        outputs = np.log(np.where(np.eye(4)[predicted] > 0, 0.9, 0.1 / 3))
        return dataclasses.replace(
            arm, runs=tuple(dataclasses.replace(run, outputs=outputs) for run in arm.runs)
        )

    return dataclasses.replace(found, arms=(with_wrong("late", [0, 1]), with_wrong("text", [1])))


def test_the_hardest_clips_come_first(study: StudyRuns) -> None:
    found = hardest(study)
    assert len(found) == SHOWN
    assert found["id"][:2].tolist() == ["clip0001", "clip0000"]
    assert found["score"][:3].tolist() == [0, 0.5, 1]
    assert found["present"][1] == "visual+text", "every tenth clip has no sound"


def test_disagreements_name_only_clips_that_differ(study: StudyRuns) -> None:
    ahead, behind = disagreements(study, "text", "late")
    assert ahead["id"].tolist() == ["clip0000"]
    assert (ahead["a"][0], ahead["b"][0]) == (1, 0)
    assert behind.empty


def test_subset_scores_are_means_over_the_seeds(make_study: MakeStudy, fake_arm: type) -> None:
    comparison = compare(load_study(make_study({"late": fake_arm(0.7)}, limits=None, n_clips=60)))
    assert subsets.scores(comparison) == {}, "these runs recorded none"
    [arm] = comparison.study.arms
    scores = iter((0.5, 0.6, 0.7))
    runs = [
        dataclasses.replace(
            run, result=run.result.model_copy(update={"test_subsets": {"visual": {"accuracy": next(scores)}}})
        )
        for run in arm.runs
    ]
    given = dataclasses.replace(
        comparison,
        study=dataclasses.replace(comparison.study, arms=(dataclasses.replace(arm, runs=tuple(runs)),)),
    )
    assert subsets.scores(given) == {"late": {"visual": pytest.approx(0.6)}}
