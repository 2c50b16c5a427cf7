"""A run evaluated on several views of each clip reports each clip once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from planted_runs import small_inputs

from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute


def test_views_are_averaged_in_validation_and_test(
    configure: Callable[..., RunConfig], data_config: DataConfig, tmp_path: Path
) -> None:
    config = configure(
        data=data_config.model_copy(update={"eval_views": 2, "max_seconds": 0.5}),
        inputs=small_inputs(visual={"eval_crops": 3}),
        modalities=("visual", "audio"),
        fusion=FusionChoice.of("late"),
    )
    run = RunDirectory(execute(config, root=tmp_path))
    result = run.result()
    for split in ("val", "test"):
        [file] = run.path.glob(f"*{split}*.jsonl")
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        assert len({row["id"] for row in rows}) == len(rows) == result.counts[split]
    assert 0 <= result.test_permuted["accuracy"] <= 1
    assert evaluate_run(run.path)["accuracy"] == result.test["accuracy"]
