"""Fabricated finished studies: run directories as training leaves them, with accuracies set by the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import COSTS, made_result, rewrite
from scipy import stats

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.study_records import ArmRecord, Role, StudyRecord
from mmvideo.vocabulary import MODALITIES

CLASSES = ("left", "right", "up", "down")


@dataclass
class FakeArm:
    """What a fabricated arm is and how good it is."""

    accuracy: float
    modalities: tuple[str, ...] = MODALITIES
    role: Role = "fusion"
    fusion: str = "hierarchical"
    seed_noise: float = 0.01
    config: Mapping[str, Any] = field(default_factory=dict)


ARMS = {
    "hierarchical": FakeArm(0.80),
    "hierarchical twin": FakeArm(0.80, fusion="early"),
    "late": FakeArm(0.62, fusion="late"),
    "visual": FakeArm(0.45, ("visual",), "control", "single"),
    "audio": FakeArm(0.40, ("audio",), "control", "single"),
    "text": FakeArm(0.50, ("text",), "control", "single"),
}
LIMITS = {
    "task": "mixed",
    "bayes": {"visual+audio+text": 0.87, "visual": 0.5, "audio": 0.48, "text": 0.52},
    "additive": {"cross_entropy": 0.66, "ceiling": 0.72},
}


def write_run(folder: Path, config: RunConfig, arm: FakeArm, n_clips: int, **result: Any) -> Path:
    """One finished run whose test accuracy is the arm's up to seed noise and sampling."""
    rng = np.random.default_rng([config.seed, sum(config.arm.encode())])
    clips = np.random.default_rng(7)  # labels and difficulty are the same for every run
    labels, difficulty = clips.integers(4, size=n_clips), clips.normal(size=n_clips)
    level = arm.accuracy + rng.normal(0, arm.seed_noise)
    right = 0.6 * difficulty + 0.8 * rng.normal(size=n_clips) < stats.norm.ppf(level)
    predicted = np.where(right, labels, (labels + rng.integers(1, 4, n_clips)) % 4)
    logits = rng.normal(0, 0.4, (n_clips, 4))
    logits[np.arange(n_clips), predicted] += 2.5
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.model_dump_json())
    environment = {
        "git_sha": "0123abcd", "git_dirty": False, "versions": {"torch": "2.11.0"}, "device": "cpu",
        "python": "3.11", "platform": "Linux", "data_fingerprint": "f00d",
    }  # fmt: skip
    (folder / "env.json").write_text(json.dumps(environment))
    (folder / "predictions_val.jsonl").write_text("")
    predictions = [
        {"id": f"clip{i:04d}", "group": f"g{i // 5}", "label": CLASSES[labels[i]],
         "present": [m for m in config.modalities if not (m == "audio" and i % 10 == 0)],
         "log_probabilities": [round(float(x), 6) for x in log_probabilities[i]]}
        for i in range(n_clips)
    ]  # fmt: skip
    (folder / "predictions_test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in predictions))
    curve = [
        {"epoch": e, "step": 50 * e, "split": split, "loss": 1.4 * np.exp(-e / 6), "seconds": 3.1 * e,
         "accuracy": 0.25 + (level + bonus - 0.25) * (1 - np.exp(-e / 3)), "learning_rate": 1e-3}
        for e in range(1, 13) for split, bonus in (("train", 0.05), ("val", 0.0))
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
    record = {
        "best_epoch": 9, "epochs": 12, "classes": CLASSES,
        "test": {"accuracy": float(right.mean())}, "val": {"accuracy": level},
        "test_permuted": {"accuracy": 0.3} if len(config.modalities) > 1 else None,
        "costs": COSTS | {"parameters": 100_000 * len(config.modalities)},
        "train_presence": {"+".join(config.modalities): [200, 180, 190, 170]},
    }  # fmt: skip
    rewrite(folder / "result.json", made_result(folder, config, **record | result))
    return folder


@pytest.fixture
def fake_arm() -> type[FakeArm]:
    """The class that describes a fabricated arm."""
    return FakeArm


@pytest.fixture
def arms() -> dict[str, FakeArm]:
    """The arms of the study that `make_study` writes unless told otherwise."""
    return dict(ARMS)


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study and returns its folder."""

    def make(
        arms: Mapping[str, FakeArm] = ARMS, seeds: tuple[int, ...] = (0, 1, 2), n_clips: int = 300,
        limits: Mapping[str, Any] | None = LIMITS, skip: tuple[str, ...] = (),
    ) -> Path:  # fmt: skip
        folder = tmp_path / "demo"
        folder.mkdir()
        record = StudyRecord(
            manifest="clips.jsonl",
            name="demo", title="A demonstration", axes=("fusion", "modalities"), seeds=seeds,
            arms=tuple(ArmRecord(name=name, role=arm.role) for name, arm in arms.items()), limits=limits,
        )  # fmt: skip
        rewrite(folder / "study.json", record)
        for name, arm in arms.items():
            for seed in seeds:
                fusion = FusionChoice.of(arm.fusion)
                config = RunConfig(study="demo", seed=seed, modalities=arm.modalities, fusion=fusion)
                config = RunConfig.model_validate({**config.model_dump(), **arm.config})
                config = config.model_copy(update={"arm": name})  # also names that no command would take
                if f"{name}-s{seed}" not in skip:
                    write_run(folder / f"{name}-s{seed}-0123456789", config, arm, n_clips)
        return folder

    return make
