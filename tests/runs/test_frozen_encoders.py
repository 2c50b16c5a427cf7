"""A run on frozen encoders: they stay as they were, the fusion learns, and the record is complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
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
