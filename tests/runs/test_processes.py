"""A run on several devices is the run of one: the same folder, the same numbers, every clip once."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning_fabric import Fabric
from planted_runs import small_inputs

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, RuntimeConfig, TrainConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs import assembly
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import _execute, execute
from mmvideo.runs.processes import on_devices

TWO = RuntimeConfig(device="cpu", devices=2)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import torch once more."""
    monkeypatch.setattr(assembly, "START", "fork")


@pytest.fixture
def config(configure: Callable[..., RunConfig]) -> RunConfig:
    """Without dropout, of which processes draw for their own part; the last batch has one clip."""
    return configure(
        modalities=("audio", "text"),
        inputs=small_inputs({"audio": {"dropout": 0.0}, "text": {"dropout": 0.0}}),
        fusion=FusionChoice.of("late", dropout=0.0),
        train=TrainConfig(epochs=2, batch_size=15, modality_dropout={"text": 0.3}),
    )


def rows(run: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / f"predictions_{split}.jsonl").read_text().splitlines()]


def test_two_processes_make_the_run_of_one(config: RunConfig, tmp_path: Path) -> None:
    one = execute(config, root=tmp_path / "one")
    two = execute(config.model_copy(update={"runtime": TWO}), root=tmp_path / "two")
    assert two.name == one.name, "devices are not what decides a run"
    made_with = [json.loads((run / "env.json").read_text())["device"] for run in (one, two)]
    assert made_with[1] == f"{made_with[0]} × 2", "but they are told"
    for split in ("val", "test"):
        expected, found = rows(one, split), rows(two, split)
        assert [row["id"] for row in found] == [row["id"] for row in expected]
        for key in ("label", "present", "group"):
            assert [row[key] for row in found] == [row[key] for row in expected]
        ours, theirs = (np.array([row["log_probabilities"] for row in of]) for of in (found, expected))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1.1e-5)  # they are written with six digits
    result, other = RunDirectory(two).result(), RunDirectory(one).result()
    assert result.test == pytest.approx(other.test, abs=1e-5)
    assert result.test_subsets == other.test_subsets
    assert result.test_permuted == other.test_permuted
    lines = RunDirectory(two).metrics()
    assert [(line.epoch, line.split) for line in lines] == [
        (1, "train"),
        (1, "val"),
        (2, "train"),
        (2, "val"),
    ]


def diverge(fabric: Fabric) -> None:
    """One process fails; the other waits for it."""
    if fabric.global_rank == 1:
        raise TrainingError("the loss is nan")
    fabric.barrier()


def test_a_failure_of_one_process_is_the_runs(config: RunConfig) -> None:
    with pytest.raises(TrainingError, match="the loss is nan"):
        on_devices(config.model_copy(update={"runtime": TWO}), diverge)


def die(fabric: Fabric) -> None:
    """One process is killed, as for want of memory; the other waits for it."""
    if fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    fabric.barrier()


def test_a_process_that_is_killed_is_told_without_a_trace(config: RunConfig) -> None:
    with pytest.raises(TrainingError, match=r"ended from outside.*SIGKILL"):
        on_devices(config.model_copy(update={"runtime": TWO}), die)


def test_a_batch_is_not_shared_by_more_processes_than_it_has_clips(config: RunConfig) -> None:
    many = RuntimeConfig(device="cpu", devices=1000)
    with pytest.raises(InputError, match=r"runtime\.devices is 1000, but a batch has 15 clips"):
        on_devices(config.model_copy(update={"runtime": many}), die)


def test_the_work_can_be_had_in_new_processes(config: RunConfig, tmp_path: Path) -> None:
    work = partial(_execute, config=config, run=RunDirectory(tmp_path), progress_shown=True)
    again = pickle.loads(pickle.dumps(work))  # noqa: S301
    assert again.keywords == work.keywords
