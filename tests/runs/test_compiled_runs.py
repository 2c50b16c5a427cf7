"""A compiled run, to its end: what it predicts, how often it is compiled, what is told where it is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_runs import small_inputs

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, TrainConfig
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute

RUNS = """
import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch._dynamo.utils import counters

from mmvideo.config import load_config
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute
from mmvideo.training import loop
from mmvideo.training.compilation import compile_parts

torch.set_num_threads(1)
torch._dynamo.config.fail_on_recompile_limit_hit = True
folder, backend, *names = sys.argv[1:]
config = load_config((Path(folder) / "config.json").read_text(), "config.json")
log, told, stop = RunDirectory.log_metrics, {}, 0


def counted(run, metrics):
    found.append([metrics["epoch"], metrics["split"], counters["frames"]["total"]])
    log(run, metrics)
    if metrics["epoch"] == stop:
        raise KeyboardInterrupt


def without_embeddings(graph, inputs):
    if "embedding" in graph.code:
        raise RuntimeError("cannot do embeddings, and a traceback")
    return graph.forward


RunDirectory.log_metrics = counted
for name in names:
    torch.compiler.reset()
    counters.clear()
    found = told[name] = []
    loop.compile_parts = partial(compile_parts, backend=without_embeddings if name == "broken" else backend)
    if name == "broken":
        stop = 2
        try:
            execute(config, root=Path(folder) / name)
        except KeyboardInterrupt:
            stop = 0
    execute(config, root=Path(folder) / name)
print(json.dumps(told))
"""


@pytest.fixture
def config(configure: Callable[..., RunConfig]) -> RunConfig:
    """Batches of 15, 15, 15 and 3 clips, in validation of 15 and 1, and subtitles of all lengths.

    Without dropout, which compiled parts draw from another generator.
    """
    return configure(
        modalities=("audio", "text"),
        inputs=small_inputs({"audio": {"dropout": 0.0}, "text": {"dropout": 0.0}}),
        fusion=FusionChoice.of("late", dropout=0.0),
        train=TrainConfig(epochs=3, batch_size=15, compile=True, select="last"),
    )


def compiled(config: RunConfig, folder: Path, backend: str, *names: str) -> dict[str, Any]:
    """By name of a run, how many frames of code were compiled by each line of its log.

    In a process of its own: here, shape checks wrap every function.
    """
    (folder / "config.json").write_text(config.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-c", RUNS, str(folder), backend, *names],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def log_probabilities(run: Path) -> np.ndarray:
    rows = (run / "predictions_test.jsonl").read_text().splitlines()
    return np.array([json.loads(row)["log_probabilities"] for row in rows])


def as_written(config: RunConfig, folder: Path) -> Path:
    train = config.train.model_copy(update={"compile": False})
    return execute(config.model_copy(update={"train": train}), root=folder / "as written")


def only(folder: Path) -> Path:
    (run,) = (folder / "train").iterdir()
    return run


@pytest.mark.timeout(600)
def test_a_run_is_compiled_in_its_first_epoch_and_what_is_not_is_in_its_record(
    config: RunConfig, tmp_path: Path
) -> None:
    expected = log_probabilities(as_written(config, tmp_path))
    told = compiled(config, tmp_path, "eager", "whole", "broken")
    epochs = [(epoch, split) for epoch, split, _ in told["whole"]]
    assert epochs == [(epoch, split) for epoch in (1, 2, 3) for split in ("train", "val")]
    first, *_, last = [frames for _, _, frames in told["whole"]]
    after = [frames for epoch, _, frames in told["whole"] if epoch > 1]
    assert first > 0
    assert len({told["whole"][1][2], *after}) == 1, "nothing is compiled after the first epoch"
    assert last <= 3 * 2 * 3, "three parts, in training and evaluation, of a size, any size, and one clip"
    found = log_probabilities(only(tmp_path / "whole"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert RunDirectory(only(tmp_path / "whole")).result().warnings == ()
    broken = only(tmp_path / "broken")
    assert [epoch for epoch, split, _ in told["broken"] if split == "train"] == [1, 2, 2, 3]
    np.testing.assert_allclose(log_probabilities(broken), expected, rtol=0, atol=1e-3)
    (warning,) = RunDirectory(broken).result().warnings
    assert warning.startswith("text was not compiled: BackendCompilerFailed")
    assert "cannot do embeddings" in warning


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler on a CPU")
def test_inductor_makes_the_run_as_written(config: RunConfig, tmp_path: Path) -> None:
    expected = log_probabilities(as_written(config, tmp_path))
    told = compiled(config, tmp_path, "inductor", "whole")
    assert len({frames for epoch, _, frames in told["whole"] if epoch > 1}) == 1
    assert RunDirectory(only(tmp_path / "whole")).result().warnings == ()
    np.testing.assert_allclose(log_probabilities(only(tmp_path / "whole")), expected, rtol=0, atol=1e-3)
