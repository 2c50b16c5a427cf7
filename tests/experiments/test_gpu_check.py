"""The pieces of the check on a GPU that need none: a run cut off and resumed, what it times, what it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mmvideo.components import FusionChoice
from mmvideo.data.opened import open_data
from mmvideo.model import build_model
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute

SCRIPT = Path(__file__).parents[2] / "experiments" / "gpu_check.py"


@pytest.fixture(scope="module")
def check() -> Any:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_gpu_it_says_so(
    check: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])
    assert check.main() == 2
    assert "no GPU on this machine, so nothing was checked" in capsys.readouterr().err


def test_a_run_cut_off_in_its_second_epoch_goes_on_to_the_same_predictions(
    check: Any, tmp_path: Path
) -> None:
    config = check.small_run(tmp_path, 24, precision="32-true", diagnostics=False)
    config = config.model_copy(update={"fusion": FusionChoice.of("late")})
    check.interrupt(config, tmp_path / "resumed")
    left = RunDirectory.locate(tmp_path / "resumed", config, open_data(config).fingerprint)
    assert left.checkpoints.exists()
    assert not left.finished
    whole = check.predictions(execute(config, root=tmp_path / "whole"))
    assert len(whole) > 1
    assert check.predictions(execute(config, root=tmp_path / "resumed")) == whole


def test_the_timed_model_takes_the_made_up_clips(check: Any, tmp_path: Path) -> None:
    config, batch = check.timed_run(tmp_path), check.steps_batch(2, frames=2, side=32, columns=40)
    assert config.train.precision == "bf16-mixed"
    assert batch.inputs["visual"].values.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert build_model(config, 101).eval()(batch).logits.shape == (2, 101)


def test_the_clips_it_feeds_are_changed_on_the_device(check: Any, tmp_path: Path) -> None:
    config = check.compiled(check.fed_run(check.timed_run(tmp_path), "manifest.jsonl", tmp_path))
    assert config.inputs["visual"].options.on_device
    assert config.train.compile
    assert config.runtime.loader_workers >= 1


def test_stored_clips_are_read_and_trained_on(check: Any, tmp_path: Path) -> None:
    config = check.small_run(tmp_path, 24, precision="32-true")
    found = check.feeding(check.fed_run(config, config.data.manifest, tmp_path, workers=0))
    assert set(found) == {"clips a second, read", "clips a second, trained from the store"}
    assert found["clips a second, read"] > found["clips a second, trained from the store"] > 0


def test_what_fell_short_is_named_and_decides_the_status(check: Any, tmp_path: Path) -> None:
    good = {
        "resumes to the same predictions": True,
        "not compiled": {},
        "clips a second, as written": 700.0,
        "clips a second, compiled": 1000.0,
        "clips a second, read": 1200.0,
        "clips a second, trained from the store": 900.0,
    }
    assert check.report(good, "NVIDIA Some-Card 9", 1.0, tmp_path) == 0
    bad = {
        **good,
        "resumes to the same predictions": False,
        "not compiled": {"fusion": "why"},
        "clips a second, as written": 625.0,
        "clips a second, read": 1199.0,
    }
    assert check.report(bad, "NVIDIA Some-Card 9", 1.0, tmp_path) == 1
    record = json.loads((tmp_path / "nvidia-some-card-9.json").read_text())
    assert record["card"] == "NVIDIA Some-Card 9"
    assert record["short"] == [
        "a resumed run predicts something else",
        "fusion is not compiled: why",
        "625 clips a second as written, where 626 are asked for",
        "1199 clips a second read, where 1.2 times the step's 1000 are asked",
    ]
