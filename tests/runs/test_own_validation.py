"""Runs on data without a validation split: each seed draws its own, and everything of the run follows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmvideo.clips.manifest import read_manifest, write_manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.runs.identity import signature

Configure = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def data(planted: Path, data_config: DataConfig) -> DataConfig:
    """The planted clips, those of val among the training clips; each is a group."""
    listed = read_manifest(planted).clips
    clips = [
        clip.model_copy(update={"split": "test" if clip.split == "test" else "train", "group": clip.id})
        for clip in listed
    ]
    write_manifest(planted.with_name("no_val.jsonl"), clips)
    return data_config.model_copy(update={"manifest": str(planted.with_name("no_val.jsonl"))})


@pytest.fixture(scope="module")
def runs(
    data: DataConfig, configure: Configure, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, RunDirectory]:
    """By seed, a run of text alone."""
    root = tmp_path_factory.mktemp("runs")
    configs = {seed: configure(text_alone=True, seed=seed, data=data) for seed in (0, 1)}
    return {seed: RunDirectory(execute(config, root=root)) for seed, config in configs.items()}


def validated(run: RunDirectory) -> set[str]:
    lines = (run.path / "predictions_val.jsonl").read_text().splitlines()
    return {json.loads(line)["id"] for line in lines}


def test_seeds_validate_on_other_clips_of_the_same_data(runs: dict[int, RunDirectory]) -> None:
    first, second = (runs[seed].result() for seed in (0, 1))
    assert validated(runs[0]) != validated(runs[1])
    assert (first.manifest, first.data_fingerprint) == (second.manifest, second.data_fingerprint)


@pytest.mark.parametrize("seed", [0, 1])
def test_all_of_a_run_knows_its_split(
    runs: dict[int, RunDirectory], data: DataConfig, configure: Configure, seed: int
) -> None:
    result = runs[seed].result()
    opened = RunData.open(configure(text_alone=True, seed=seed, data=data))
    assert {clip.id for clip in opened.clips("val")} == validated(runs[seed])
    assert result.counts == {
        "train": 64 - len(validated(runs[seed])),
        "val": len(validated(runs[seed])),
        "test": 16,
    }
    assert np.sum(list(result.train_presence.values())) == result.counts["train"]
    assert result.train_prior == pytest.approx(opened.train_prior())
    tokenizer = json.loads((runs[seed].path / "inputs" / "text.json").read_text())
    assert tokenizer == json.loads(opened.modalities["text"].tokenizer.tokenizer.to_str())  # type: ignore[attr-defined]
    assert evaluate_run(runs[seed].path) == pytest.approx(result.test)
    assert evaluate_run(runs[seed].path, split="val") == pytest.approx(result.val)


def test_the_share_decides_numbers_and_its_default_is_none_of_the_signature(
    data: DataConfig, configure: Configure
) -> None:
    config = configure(data=data)
    larger = configure(data=data.model_copy(update={"validation_share": 0.3}))
    assert "validation_share" not in config.deciding()["data"]
    assert signature(larger, "d") != signature(config, "d")
    assert len(RunData.open(larger).clips("val")) > len(RunData.open(config).clips("val"))


def test_an_official_split_stays_whatever_the_seed(configure: Configure, planted: Path) -> None:
    official = read_manifest(planted).split("val")
    assert all(RunData.open(configure(seed=seed)).clips("val") == official for seed in (0, 1))


def test_an_encoder_that_knows_validation_clips_is_told(
    runs: dict[int, RunDirectory], data: DataConfig, configure: Configure, tmp_path: Path
) -> None:
    def started(source: int) -> tuple[str, ...]:
        config = configure(text_alone=True, seed=1, data=data, encoders_from=(str(runs[source].path),))
        return RunDirectory(execute(config, root=tmp_path)).result().warnings

    seen = len(validated(runs[1]) - validated(runs[0]))
    [warning] = started(0)
    assert warning.startswith(f"{seen} of the {len(validated(runs[1]))} val clips are training clips of ")
    assert started(1) == ()
