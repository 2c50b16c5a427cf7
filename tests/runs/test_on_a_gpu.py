"""On a GPU: training to the end, killed and resumed, measured, and evaluated again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, RuntimeConfig, TrainConfig
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here"),
    pytest.mark.filterwarnings("default"),  # drivers and 16 bits' first steps have theirs
]


class Killed(Exception):
    pass


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("fusion", ["late", "hierarchical"])
def test_a_run_is_killed_resumed_and_evaluated_there(
    fusion: str,
    precision: Any,
    configure: Callable[..., RunConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = configure(
        study=precision,
        fusion=FusionChoice.of(fusion),
        train=TrainConfig(epochs=2, batch_size=16, precision=precision),
        runtime=RuntimeConfig(device="cuda"),
    )
    log = RunDirectory.log_metrics

    def killed(run: RunDirectory, metrics: dict[str, Any]) -> None:
        log(run, metrics)
        if metrics["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "log_metrics", killed)
        with pytest.raises(Killed):
            execute(config, root=tmp_path)
    run = execute(config, root=tmp_path)
    result = json.loads((run / "result.json").read_text())
    assert [(r["epoch"], r["split"]) for r in RunDirectory(run).metrics()] == [
        (epoch, split) for epoch in (1, 2) for split in ("train", "val")
    ]
    costs = result["costs"]
    assert all(
        math.isfinite(value) and value > 0 for key, value in costs.items() if key != "objective_parameters"
    )
    assert evaluate_run(run)["accuracy"] == pytest.approx(result["test"]["accuracy"])
    whole = execute(config, root=tmp_path / "undisturbed")
    ended = json.loads((whole / "result.json").read_text())
    assert ended["test"]["nll"] == pytest.approx(result["test"]["nll"], rel=0.05)


def test_operations_are_counted_as_on_the_cpu(configure: Callable[..., RunConfig], tmp_path: Path) -> None:
    counted = []
    for device in ("cpu", "cuda"):
        config = configure(
            study=device,
            fusion=FusionChoice.of("late"),
            train=TrainConfig(epochs=1, batch_size=16),
            runtime=RuntimeConfig(device=device),
        )
        run = execute(config, root=tmp_path / device)
        counted.append(json.loads((run / "result.json").read_text())["costs"]["flops_per_clip"])
    assert counted[0] == counted[1]
