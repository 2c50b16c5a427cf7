"""A run on frozen encoders: they stay as they were, the fusion learns, and the record is complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.data.opened import open_data
from mmvideo.runs import assembly
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute

Configure = Callable[..., RunConfig]


def test_encoders_stay_and_the_fusion_learns(configure: Configure, finished: Path, tmp_path: Path) -> None:
    config = configure(
        fusion=FusionChoice.of("late"), encoders_from=(str(finished),), encoders_frozen=True, seed=1
    )
    run = execute(config, root=tmp_path)
    weights = load_file(run / "checkpoints" / "best.safetensors")
    before = load_file(finished / "checkpoints" / "best.safetensors")
    encoders = [name for name in weights if name.startswith("encoders.")]
    assert encoders
    assert all((weights[name] == before[name]).all() for name in encoders)
    result = json.loads((run / "result.json").read_text())
    assert 0 < result["costs"]["trainable_parameters"] < result["costs"]["parameters"]
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if record["split"] == "val"]
    assert len(set(losses)) > 1, "the fusion is trained"
    # validation during training read encoded clips, the record afterwards the clips themselves
    assert abs(min(losses) - result["val"]["nll"]) < 1e-4
    assert abs(evaluate_run(run)["accuracy"] - result["test"]["accuracy"]) < 1e-9
    again = execute(config.model_copy(update={"study": "again"}), root=tmp_path)
    assert (again / "predictions_test.jsonl").read_bytes() == (run / "predictions_test.jsonl").read_bytes()


def test_runs_of_one_process_share_what_the_same_encoders_made_of_the_clips(
    configure: Configure, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    real = assembly.encode_split

    def counting(*given: Any) -> Any:
        encoded.append(1)
        return real(*given)

    monkeypatch.setattr(assembly, "encode_split", counting)

    def splits_encoded(**changes: Any) -> int:
        """How many splits a run encodes."""
        before = len(encoded)
        execute(configure(encoders_from=(str(finished),), encoders_frozen=True, **changes), root=tmp_path)
        return len(encoded) - before

    late = {"fusion": FusionChoice.of("late")}
    open_data(configure()).kept.clear()
    assert splits_encoded(**late, seed=1) == 2
    assert splits_encoded(**late, seed=2) == 0
    assert splits_encoded(fusion=FusionChoice.of("gated")) == 0, "it reads the same level"
    assert splits_encoded(fusion=FusionChoice.of("hierarchical")) == 2, "it reads more"
    assert splits_encoded(**late, modalities=("visual", "audio")) == 2
    assert splits_encoded(**late, seed=3) == 2, "the last ones alone are kept"
    other = execute(configure(study="demo", arm="other", seed=5), root=tmp_path)
    again = configure(encoders_from=(str(other),), encoders_frozen=True, **late)
    before = len(encoded)
    run = execute(again, root=tmp_path)
    assert len(encoded) - before == 2, "encoders of another run"
    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    nll = json.loads((run / "result.json").read_text())["val"]["nll"]
    assert min(abs(loss - nll) for loss in losses) < 1e-4, "they are what that run's encoders make"
