"""Reports on multi-label and regression: the right numbers, and better where it is better."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_records import made_result
from rich.console import Console

from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig
from mmvideo.records import Environment
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.console import print_comparison
from mmvideo.report.controls import CLASS_PRIORS, MEDIAN, MISSINGNESS, SCORE_AVERAGING, score_averaging
from mmvideo.report.figures import write_figures
from mmvideo.report.page import render
from mmvideo.report.runs import ArmRuns, Clips, FinishedRun, StudyRuns
from mmvideo.report.sections.headline import tiles
from mmvideo.report.sections.verdicts import verdict_matrix
from mmvideo.vocabulary import MODALITIES, TaskKind

N = 120
SEEDS = (0, 1, 2)
NOISE = {"good": 0.3, "bad": 3.0, "audio": 0.8, "text": 0.9}


def labels_of(task: TaskKind) -> np.ndarray:
    rng = np.random.default_rng(5)
    if task == "regression":
        return np.round(rng.uniform(-3, 3, N), 1)
    return (rng.random((N, 3)) < [0.5, 0.3, 0.2]).astype(float)


def run_of(folder: Path, task: TaskKind, name: str, seed: int) -> FinishedRun:
    """A run whose outputs are the truth (multi-label, `bad`: its opposite) and noise of the arm's size."""
    labels, noise = labels_of(task), NOISE[name]
    rng = np.random.default_rng([seed, len(name), ord(name[0])])
    if task == "regression":
        outputs = labels[:, None] + rng.normal(0, noise, (N, 1))
        score, prior = {"mae": noise}, [float(np.median(labels))]
        patterns = {"audio+text": [0.7], "text": [-0.7]}
    else:
        truth = 1 - 2 * labels if name == "bad" else 2 * labels - 1
        outputs = truth + rng.normal(0, 2 * noise, (N, 3))
        score, prior = {"label_ranking_ap": 1 - noise / 2}, [0.0, -0.8, -1.4]
        patterns = {"audio+text": [0.0, -0.8, -1.4], "text": [-2.0, -0.8, 1.4]}
    alone = name in MODALITIES
    config = RunConfig(
        arm=name, seed=seed, modalities=(name,) if alone else ("audio", "text"), data=DataConfig(task=task),
        fusion=FusionChoice.of("single" if alone else "late"),
    )  # fmt: skip
    present = {"audio": np.arange(N) % 4 != 0, "text": np.ones(N, dtype=bool)}
    key = next(iter(score))
    result = made_result(
        folder / f"{name}-s{seed}-0", config, val=score, test_permuted=None if alone else {key: 0.5},
        train_prior=prior, train_presence=patterns,
    )  # fmt: skip
    environment = Environment(
        git_sha=None, git_dirty=None, python="3", platform="", device="", data_fingerprint="", versions={}
    )
    curve = pd.DataFrame(
        [
            {"epoch": e, "step": e, "split": "val", "loss": 1 / e, key: score[key], "training_seconds": e}
            for e in (1, 2)
        ]
    )
    return FinishedRun(Path(f"{name}-s{seed}"), result, environment, curve, outputs, present)


def study_of(folder: Path, task: TaskKind) -> StudyRuns:
    arms = tuple(
        ArmRuns(
            name,
            "control" if name in MODALITIES else "fusion",
            tuple(run_of(folder, task, name, s) for s in SEEDS),
        )
        for name in NOISE
    )
    classes = () if task == "regression" else ("run", "sing", "talk")
    ids, groups = tuple(f"c{i:03}" for i in range(N)), np.array([f"g{i // 2}" for i in range(N)])
    clips = Clips(ids, groups, labels_of(task), classes, task)
    return StudyRuns("demo", "Demo", ("fusion", "modalities"), SEEDS, None, arms, (), (), (), clips)


@pytest.fixture(scope="module", params=["multi_label", "regression"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(study_of(tmp_path_factory.mktemp("runs"), request.param))


def pair(found: Comparison, a: str, b: str) -> dict[str, Any]:
    rows = found.pairs[(found.pairs["a"] == a) & (found.pairs["b"] == b)]
    return {str(name): value for name, value in rows.iloc[0].items()}


def test_what_errs_less_is_better_and_the_difference_says_in_which_direction(found: Comparison) -> None:
    sign = 1 if found.study.task.higher_is_better else -1
    assert (found.leader, found.best_unimodal) == ("good", "audio")
    for other in ("audio", SCORE_AVERAGING, "bad"):
        test = pair(found, "good", other)
        assert test["verdict"] == "better"
        assert sign * test["difference"] > 0
        assert sign * test["low"] > 0
        assert sign * test["high"] > 0
    worse = pair(found, "bad", "audio")
    assert worse["verdict"] == "worse"
    assert sign * worse["difference"] < 0
    rows = found.table.set_index("arm")
    assert (rows.loc["good", "verdict"], rows.loc["bad", "verdict"]) == ("better", "worse")
    assert rows.loc["audio", "verdict"] == "reference"


def test_differences_are_those_of_the_scores(found: Comparison) -> None:
    rows, score = found.table.set_index("arm"), found.study.task.score
    for test in found.pairs.to_dict("records"):
        assert test["difference"] == pytest.approx(rows.loc[test["a"], score] - rows.loc[test["b"], score])
        assert test["low"] <= test["difference"] <= test["high"]


def test_the_best_stands_first_among_its_kind(found: Comparison) -> None:
    fusions = found.table[found.table["kind"] == "fusion"]["arm"].tolist()
    assert fusions == ["good", "bad"]


def test_the_matrix_turns_words_with_the_point_of_view(found: Comparison) -> None:
    matrix = verdict_matrix(found)
    assert matrix["good"]["bad"]["verdict"] == "better"
    assert matrix["bad"]["good"]["verdict"] == "worse"
    assert matrix["bad"]["good"]["difference"] == -matrix["good"]["bad"]["difference"]


def test_the_answer_states_a_gain_as_a_size(found: Comparison) -> None:
    size, low, high = (abs(pair(found, "good", "audio")[name]) for name in ("difference", "low", "high"))
    low, high = sorted((low, high))
    points = dict(found.answer.points)
    said = "\n".join([found.answer.sentence, *found.answer.lines])
    if found.study.task.kind == "regression":
        assert f"; −{size:.3f} [−{high:.3f}, −{low:.3f}] against audio." in said
        assert points["against audio"].startswith(f"better by {size:.3f} [{low:.3f}, {high:.3f}],")
        assert points["good"].startswith("has a mean absolute error of 0.2")
        assert "%" not in said
    else:
        shown = f"{100 * size:.1f} points [{100 * low:.1f}, {100 * high:.1f}]"
        assert points["against audio"].startswith(f"better by {shown},")
        assert points["good"].startswith("has a label ranking average precision of ")


def test_controls_have_their_counterparts(found: Comparison) -> None:
    rows, labels = found.table.set_index("arm"), found.study.clips.labels
    task = found.study.task
    constant = MEDIAN if task.kind == "regression" else CLASS_PRIORS
    assert {constant, MISSINGNESS, SCORE_AVERAGING} <= set(rows.index)
    assert "majority class" not in rows.index
    if task.kind == "regression":
        guess = np.where(np.arange(N) % 4 == 0, -0.7, 0.7)  # every fourth clip has text alone
        assert rows.loc[MEDIAN, "mae"] == pytest.approx(np.abs(labels - np.median(labels)).mean())
        assert rows.loc[MISSINGNESS, "mae"] == pytest.approx(np.abs(labels - guess).mean())
    else:
        assert rows.loc[CLASS_PRIORS, "mean_ap"] == pytest.approx(labels.mean(axis=0).mean())


def test_score_averaging_averages_what_is_present(found: Comparison) -> None:
    study = found.study
    audio, text = (arm for arm in study.arms if arm.unimodal)
    averaged = score_averaging((audio, text), study.task.kind)

    def probability(outputs: np.ndarray) -> np.ndarray:
        return outputs if study.task.kind == "regression" else 1 / (1 + np.exp(-outputs))

    both = (probability(audio.outputs) + probability(text.outputs)) / 2
    has_audio = np.arange(N) % 4 != 0
    np.testing.assert_allclose(probability(averaged)[:, has_audio], both[:, has_audio])
    np.testing.assert_allclose(averaged[:, ~has_audio], text.outputs[:, ~has_audio])


def test_page_terminal_and_figures_speak_of_the_tasks_score(found: Comparison, tmp_path: Path) -> None:
    page = render(found, "make it")
    name = {"multi_label": "label ranking AP", "regression": "mean absolute error"}[found.study.task.kind]
    visible = page.split('<script type="application/json"')[0]
    assert name in visible
    assert "accuracy" not in visible.replace("mmvideo", "")
    assert tiles(found)[0]["label"] == f"test {name} of good"
    out = io.StringIO()
    print_comparison(found, Console(file=out, width=120, color_system=None))
    assert name in out.getvalue()
    assert "…" not in out.getvalue()
    assert "nan" not in out.getvalue()
    files = [path.name for path in write_figures(found, tmp_path)]
    assert files[0] == f"{found.study.task.score}.png"


def test_the_record_is_plain_json(found: Comparison) -> None:
    record = json.loads(found.record().text(), parse_constant=pytest.fail)
    assert record["task"] == found.study.task.kind
    assert record["arms"][0][found.study.task.score] > 0
