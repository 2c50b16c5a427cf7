"""From configuration to result: a complete record, the same numbers again, and what stops it."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideo.clips.manifest import read_manifest
from mmvideo.config import RunConfig, RuntimeConfig, TrainConfig
from mmvideo.errors import InputError
from mmvideo.evaluation.metrics import classification_metrics
from mmvideo.fusion.hierarchical import HierarchicalFusion
from mmvideo.runs import execute as execution
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute

Configure = Callable[..., RunConfig]

BOUND = {"digests", "seal"}  # they follow from metrics.jsonl and env.json, which tell of the machine
TIMED_COSTS = {"train_seconds", "step_ms", "latency_ms", "peak_memory_mb"}
TIMED = TIMED_COSTS | {"seconds", "training_seconds"}


def numbers(path: Path) -> dict[str, Any]:
    """All that a run recorded, but what depends on the machine's speed and memory."""

    def untimed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: untimed(item) for key, item in value.items() if key not in TIMED | BOUND}
        return value

    return {
        "metrics": [untimed(line.model_dump()) for line in RunDirectory(path).metrics()],
        "result": untimed(RunDirectory(path).result().model_dump(mode="json")),
        "val": (path / "predictions_val.jsonl").read_bytes(),
        "test": (path / "predictions_test.jsonl").read_bytes(),
        "weights": (path / "checkpoints" / "best.safetensors").read_bytes(),
    }


def predictions(path: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / f"predictions_{split}.jsonl").read_text().splitlines()]


class TestRecord:
    def test_it_stands_where_its_configuration_says(self, finished: Path, configure: Configure) -> None:
        assert finished.parent.name == "demo"
        assert finished.name.startswith("all-s0-")
        assert RunDirectory(finished).config == configure(study="demo", arm="all")
        files = {"config.json", "env.json", "metrics.jsonl", "result.json", "inputs", "checkpoints"}
        files |= {"predictions_val.jsonl", "predictions_test.jsonl"}
        assert files <= {path.name for path in finished.iterdir()}
        assert [path.name for path in (finished / "inputs").iterdir()] == ["text.json"]
        assert not (finished / "error.txt").exists()

    def test_the_result_is_complete_and_sound(self, finished: Path) -> None:
        result = RunDirectory(finished).result()
        assert result.classes == ("class0", "class1", "class2", "class3")
        assert result.counts == {"train": 48, "val": 16, "test": 16}
        assert result.failed_clips == {}
        assert (result.epochs, result.steps) == (2, 6)
        assert result.best_epoch in (1, 2)
        assert (result.study, result.arm, result.seed) == ("demo", "all", 0)
        assert result.signature == finished.name.rpartition("-")[2]
        assert np.sum(list(result.train_presence.values())) == 48
        assert len(result.train_presence) > 1
        assert 0 <= result.test_permuted["accuracy"] <= 1
        costs = result.costs.model_dump()
        assert costs["parameters"] == costs["trainable_parameters"] > 1000
        assert all(costs[name] > 0 for name in ("flops_per_clip", *TIMED_COSTS))
        assert result.step_spent_on == HierarchicalFusion.cost

    def test_there_is_a_line_for_every_epoch_and_split(self, finished: Path) -> None:
        lines = RunDirectory(finished).metrics()
        assert [(line.epoch, line.split, line.step) for line in lines] == [
            (1, "train", 3), (1, "val", 3), (2, "train", 6), (2, "val", 6),
        ]  # fmt: skip
        assert all(math.isfinite(line.loss) for line in lines)

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_predictions_are_the_splits_clips_and_give_its_metrics(
        self, finished: Path, planted: Path, split: str
    ) -> None:
        rows = predictions(finished, split)
        clips = read_manifest(planted).split(split)  # type: ignore[arg-type]
        assert [(row["id"], row["label"], row["group"]) for row in rows] == [
            (c.id, c.label, c.group) for c in clips
        ]
        assert all(
            ("text" in row["present"]) == (clip.subtitles is not None)
            for row, clip in zip(rows, clips, strict=True)
        )
        scores = np.array([row["log_probabilities"] for row in rows])
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-5)
        labels = np.array([int(row["label"].removeprefix("class")) for row in rows])
        assert getattr(RunDirectory(finished).result(), split) == pytest.approx(
            classification_metrics(scores, labels), abs=1e-5
        )

    def test_the_best_epochs_score_is_the_results(self, finished: Path) -> None:
        result = RunDirectory(finished).result()
        lines = [line.model_dump() for line in RunDirectory(finished).metrics() if line.split == "val"]
        best = max(lines, key=lambda line: (line["accuracy"], -line["loss"]))
        assert result.best_epoch == best["epoch"]
        assert (result.val["accuracy"], result.val["nll"]) == pytest.approx((best["accuracy"], best["loss"]))

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_evaluating_it_again_gives_its_metrics(self, finished: Path, split: Any) -> None:
        assert evaluate_run(finished, split=split) == getattr(RunDirectory(finished).result(), split)


class TestSameNumbers:
    def test_with_all_modalities(self, finished: Path, configure: Configure, tmp_path: Path) -> None:
        again = execute(configure(study="demo", arm="all"), root=tmp_path)
        assert numbers(again) == numbers(finished)

    @pytest.fixture
    def whole(self, configure: Configure, tmp_path: Path) -> Path:
        return execute(
            configure(text_alone=True, train=TrainConfig(epochs=3, batch_size=16)), root=tmp_path / "whole"
        )

    def test_reading_ahead_in_other_processes_changes_nothing(
        self, whole: Path, configure: Configure, tmp_path: Path
    ) -> None:
        runtime = RuntimeConfig(device="cpu", loader_workers=2)
        config = configure(text_alone=True, train=TrainConfig(epochs=3, batch_size=16), runtime=runtime)
        ahead = execute(config, root=tmp_path / "ahead")
        assert ahead.name == whole.name
        assert numbers(ahead) == numbers(whole)

    def test_another_seed_gives_others(self, whole: Path, configure: Configure, tmp_path: Path) -> None:
        other = execute(
            configure(text_alone=True, seed=1, train=TrainConfig(epochs=3, batch_size=16)), root=tmp_path
        )
        assert numbers(other)["test"] != numbers(whole)["test"]

    def test_a_finished_run_is_left_as_it_is(self, whole: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}
        assert execute(RunDirectory(whole).config, root=whole.parents[1]) == whole
        assert {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()} == before


class Interrupted(Exception):
    pass


class TestInterrupted:
    @pytest.mark.parametrize(("epoch", "split"), [(1, "train"), (2, "train"), (2, "val")])
    def test_it_goes_on_to_the_same_numbers(
        self,
        finished: Path,
        configure: Configure,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        epoch: int,
        split: str,
    ) -> None:
        log = RunDirectory.log_metrics

        def stopping(run: RunDirectory, metrics: Mapping[str, Any]) -> None:
            log(run, metrics)
            if (metrics["epoch"], metrics["split"]) == (epoch, split):
                raise Interrupted

        config = configure(study="demo", arm="all")
        with monkeypatch.context() as patched:
            patched.setattr(RunDirectory, "log_metrics", stopping)
            with pytest.raises(Interrupted):
                execute(config, root=tmp_path)
        [path] = (tmp_path / "demo").iterdir()
        assert not RunDirectory(path).finished
        assert numbers(execute(config, root=tmp_path)) == numbers(finished)

    def test_between_training_and_result_only_the_evaluation_is_repeated(
        self, finished: Path, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(*given: Any) -> None:
            raise Interrupted

        config = configure(study="demo", arm="all")
        with monkeypatch.context() as patched:
            patched.setattr(execution, "evaluate_splits", stop)
            with pytest.raises(Interrupted):
                execute(config, root=tmp_path)
        monkeypatch.setattr(RunDirectory, "log_metrics", stop)
        assert numbers(execute(config, root=tmp_path)) == numbers(finished)

    def test_killed_it_goes_on_to_the_same_numbers(self, configure: Configure, tmp_path: Path) -> None:
        config = configure(text_alone=True, train=TrainConfig(epochs=3, batch_size=16))
        (tmp_path / "config.json").write_text(config.model_dump_json())
        killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        [path] = (tmp_path / "killed" / config.study).iterdir()
        assert not RunDirectory(path).finished
        assert [line.epoch for line in RunDirectory(path).metrics()] == [1, 1, 2]
        log = path / "metrics.jsonl"
        honest = log.read_text()
        log.write_text(honest.replace('"loss": ', '"loss": 1', 1))
        with pytest.raises(InputError, match=r"metrics\.jsonl is not what the run logged up to epoch 1"):
            execute(config, root=tmp_path / "killed")
        log.write_text(honest)
        continued = execute(config, root=tmp_path / "killed")
        assert continued == path
        assert numbers(continued) == numbers(execute(config, root=tmp_path / "whole"))


KILLED = """
import os, signal, sys
from pathlib import Path
from mmvideo.config import load_config
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute

log = RunDirectory.log_metrics

def dying(run, metrics):
    log(run, metrics)
    if metrics["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    RunDirectory.log_metrics = dying
    folder = Path(sys.argv[1])
    execute(load_config((folder / "config.json").read_text(), "config.json"), root=folder / "killed")
"""
