"""Multi-label and regression from files to verdicts: sound and words alone, trained a little, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from planted_runs import small_inputs

from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig, RuntimeConfig, TrackingConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.evaluation.regression import SENTIMENT
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.comparisons import (
    AGAINST_AVERAGING,
    AGAINST_NO_INPUT,
    AGAINST_UNIMODAL,
    SINGLES,
)
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.studies.study import Arm, Study
from mmvideo.vocabulary import TaskKind

SPLITS = {"train": 24, "val": 8, "test": 12}
RATE = 4000


def label_of(task: TaskKind, high: bool, glad: bool) -> Any:
    """What a clip with a high or low tone and a glad or sad word is labelled."""
    if task == "multi_label":
        return [name for name, holds in (("high", high), ("glad", glad)) if holds]
    return (1.5 if glad else -1.5) + (0.5 if high else -0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of sounds and words, with a manifest for each task."""
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    clips: dict[TaskKind, list[Clip]] = {"multi_label": [], "regression": []}
    for split, n in SPLITS.items():
        for i in range(n):
            high, glad = bool(i & 1), bool(i & 2)
            name = f"{split}{i}"
            tone = np.sin(2 * np.pi * (1200 if high else 300) * np.arange(RATE // 2) / RATE)
            noisy = 0.4 * tone + 0.05 * rng.standard_normal(len(tone))
            soundfile.write(root / f"{name}.wav", noisy, RATE)
            for task, listed in clips.items():
                listed.append(
                    Clip(
                        id=name,
                        label=label_of(task, high, glad),
                        group=name,
                        split=split,  # type: ignore[arg-type]
                        audio=f"{name}.wav",
                        metadata={"said": "so glad" if glad else "very sad"},
                    )
                )
    for task, listed in clips.items():
        write_manifest(root / f"{task}.jsonl", listed)
    return root


def config_for(folder: Path, task: TaskKind, **changes: Any) -> RunConfig:
    data = DataConfig(
        manifest=str(folder / f"{task}.jsonl"), store=str(folder / "store"), task=task, max_seconds=0.5
    )
    encoders = {"audio": {"sample_rate": RATE}, "text": {"vocabulary_size": 64}}
    small: dict[str, Any] = {
        "modalities": ("audio", "text"),
        "fusion": FusionChoice.of("late"),
        "width": 16,
        "inputs": small_inputs(encoders, text={"metadata_fields": ("said",)}),
        "train": TrainConfig(epochs=2, batch_size=8, learning_rate=1e-2),
        "runtime": RuntimeConfig(device="cpu"),
        "tracking": TrackingConfig(wandb=False),
    }
    return RunConfig(data=data, **(small | changes))


def trained(folder: Path, task: TaskKind, root: Path) -> Path:
    """A study of one fusion and both modalities alone, two seeds each."""
    single = FusionChoice.of("single")
    arms = (
        Arm("late", config_for(folder, task)),
        Arm("audio", config_for(folder, task, modalities=("audio",), fusion=single), "control"),
        Arm("text", config_for(folder, task, modalities=("text",), fusion=single), "control"),
    )
    study = Study(task, f"Tones: {task}", arms, ("fusion", "modalities"), (0, 1))
    runs = [execute(config, root=root) for config in study.runs()]
    return study.write(root, "data", [run.name for run in runs])


@pytest.fixture(scope="module", params=["multi_label", "regression"])
def finished(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Comparison]:
    study = trained(folder, request.param, tmp_path_factory.mktemp("runs"))
    return study, compare(load_study(study))


SCORES = {"multi_label": "label_ranking_ap", "regression": "mae"}
OUTPUTS = {"multi_label": "logits", "regression": "values"}


def test_a_study_of_each_task_ends_in_a_table_and_words(finished: tuple[Path, Comparison]) -> None:
    _, found = finished
    kind = found.study.task.kind
    score = SCORES[kind]
    assert set(found.table["kind"]) == {"fusion", "single modality", "no training"}
    assert found.table[score].notna().all()
    assert (found.table["low"] <= found.table[score]).all()
    assert (found.table["high"] >= found.table[score]).all()
    kinds = {AGAINST_UNIMODAL, AGAINST_AVERAGING, AGAINST_NO_INPUT, SINGLES}
    assert set(found.pairs["family"]) == kinds, "presence says what no input says: it is tested once"
    assert len(found.pairs) == 5
    assert found.leader == "late"
    assert dict(found.answer.points)["holds for"].startswith("this data set")
    page = render(found, "")
    assert 'id="forest"' in page
    assert ('id="predictions"' in page) == (kind == "regression")
    assert 'id="confusion"' not in page
    print_comparison(found)


def test_the_table_says_what_each_run_says_of_itself(finished: tuple[Path, Comparison]) -> None:
    """The report scores the prediction files anew; it must come to the same metrics as the runs did."""
    study, found = finished
    rows = found.table.set_index("arm")
    for arm in ("late", "audio", "text"):
        results = [json.loads(file.read_text()) for file in study.glob(f"{arm}-s*/result.json")]
        assert len(results) == 2
        for name in set(results[0]["test"]) & set(rows.columns):
            mean = np.mean([result["test"][name] for result in results])
            assert rows.loc[arm, name] == pytest.approx(mean, abs=1e-5), name


def test_predictions_and_records_have_the_tasks_form(finished: tuple[Path, Comparison]) -> None:
    study, found = finished
    kind = found.study.task.kind
    folder = next(study.glob("late-s0-*"))
    lines = [json.loads(line) for line in (folder / "predictions_test.jsonl").read_text().splitlines()]
    assert len(lines) == SPLITS["test"]
    width = {"multi_label": 2, "regression": 1}[kind]
    assert {len(line[OUTPUTS[kind]]) for line in lines} == {width}
    assert lines[3]["label"] == label_of(kind, True, True)
    curve = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all(SCORES[kind] in line and line["loss"] >= 0 for line in curve)
    result = json.loads((folder / "result.json").read_text())
    worse = {"multi_label": -1, "regression": 1}[kind]
    val = [
        (worse * line[SCORES[kind]], line["loss"], line["epoch"]) for line in curve if line["split"] == "val"
    ]
    assert result["best_epoch"] == min(val)[-1]
    assert set(result["test_permuted"]) == {SCORES[kind]}
    again = evaluate_run(folder)
    assert again == pytest.approx(result["test"])


def test_regression_reports_the_fields_sentiment_metrics(finished: tuple[Path, Comparison]) -> None:
    _, found = finished
    if found.study.task.kind != "regression":
        assert "acc7" not in found.table
        return
    assert np.abs(found.study.clips.labels).max() <= SENTIMENT
    assert {"acc2", "acc2_non0", "acc7", "f1", "f1_non0", "pearson_r", "rmse"} <= set(found.table)
    median = found.table.set_index("arm").loc["training median"]
    assert median["pearson_r"] == 0
    assert median["mae"] == pytest.approx(1.5)  # labels ±1, ±2, median 0


def test_labels_of_another_task_are_refused_by_name(folder: Path) -> None:
    config = config_for(folder, "regression")
    wrong = config.model_copy(update={"data": config.data.model_copy(update={"task": "single_label"})})
    with pytest.raises(InputError, match=r"44 labels do not fit data.task 'single_label'.*train0: -2.0"):
        execute(wrong, root=folder / "runs")
