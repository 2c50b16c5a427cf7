"""Runs on precomputed features: trained, evaluated again, and told apart by what the files hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig, RuntimeConfig, TrackingConfig, TrainConfig
from mmvideo.data.opened import open_data
from mmvideo.data.run_data import RunData, available_modalities
from mmvideo.errors import InputError
from mmvideo.files import read_json
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.vocabulary import MODALITIES, Split

SPLITS: dict[Split, int] = {"train": 48, "val": 16, "test": 16}


def write(folder: Path, *, shift: float = 0.0, gaps: bool = True) -> Path:
    """Two classes: a table of visual vectors that tells them apart, audio sequences of noise in one array.

    Every fourth clip has no audio; nobody has text.
    """
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    count = sum(SPLITS.values())
    labels = np.arange(count) % 2
    visual = generator.normal(100, 1, (count, 3)) + 4 * labels[:, None]
    audio = generator.normal(0, 1, (count, 5, 2)) + shift
    audio[:, 3:] = 0  # padding
    np.savetxt(folder / "visual.csv", visual, delimiter=",")
    np.save(folder / "audio.npy", audio.astype(np.float32))
    splits = [split for split, number in SPLITS.items() for _ in range(number)]
    write_manifest(
        folder / "manifest.jsonl",
        [
            Clip(
                id=f"c{i}",
                label=f"class{labels[i]}",
                group=f"g{i}",
                split=splits[i],
                features={"visual": f"visual.csv#{i}"}
                | ({} if gaps and i % 4 == 0 else {"audio": f"audio.npy#{i}"}),
            )
            for i in range(count)
        ],
    )
    return folder / "manifest.jsonl"


def configuration(manifest: Path, store: Path, **changes: Any) -> RunConfig:
    given: dict[str, Any] = {
        "modalities": ("visual", "audio"),
        "width": 16,
        "data": DataConfig(manifest=str(manifest), store=str(store)),
        "inputs": dict.fromkeys(MODALITIES, Input.of("features")),
        "fusion": FusionChoice.of("late"),
        "train": TrainConfig(epochs=6, batch_size=8),
        "runtime": RuntimeConfig(device="cpu"),
        "tracking": TrackingConfig(wandb=False),
    }
    return RunConfig(**given | changes)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("features")
    return configuration(write(folder / "data"), folder / "store")


@pytest.fixture(scope="module")
def run(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return execute(config, root=tmp_path_factory.mktemp("runs"))


def test_a_run_learns_from_them(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.9
    assert result["feature_values_zeroed"] == {"visual": 0, "audio": 0}
    assert set(result["train_presence"]) == {"visual", "visual+audio"}
    rows = [json.loads(line) for line in (run / "predictions_test.jsonl").read_text().splitlines()]
    present = {row["id"]: row["present"] for row in rows}
    assert present["c64"] == ["visual"]
    assert present["c65"] == ["visual", "audio"]


def test_what_the_encoders_were_told_stands_in_the_run(run: Path) -> None:
    told = {file.stem: read_json(file) for file in (run / "inputs").iterdir()}
    assert {m: (told[m]["width"], told[m]["longest"]) for m in told} == {"visual": (3, 1), "audio": (2, 3)}
    assert all(abs(mean - 102) < 1 for mean in told["visual"]["mean"])


def test_it_is_evaluated_again_to_the_same_numbers(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert evaluate_run(run)["nll"] == pytest.approx(result["test"]["nll"], abs=1e-6)


def test_features_of_another_width_are_refused(run: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other")
    np.save(tmp_path / "other" / "audio.npy", np.ones((80, 5, 7), np.float32))
    with pytest.raises(InputError, match="audio features have 7 numbers each; the run was trained on 2"):
        evaluate_run(run, manifest=str(other))


def test_the_content_of_the_files_is_part_of_the_datas_fingerprint(tmp_path: Path) -> None:
    def fingerprint(name: str, **how: Any) -> str:
        manifest = write(tmp_path / name, **how)
        return open_data(configuration(manifest, tmp_path / "store")).fingerprint

    assert fingerprint("a") == fingerprint("b")
    assert len({fingerprint("a"), fingerprint("c", shift=1.0), fingerprint("d", gaps=False)}) == 3


def test_presence_is_that_of_what_the_run_reads(config: RunConfig) -> None:
    """To an encoder of pictures these clips are blind."""
    assert available_modalities(config) == ("visual", "audio")
    pictures = reading(config, visual=Input.of("visual"))
    assert available_modalities(pictures) == ("audio",)
    [first, *_] = RunData.open(pictures).clips("val")
    assert RunData.open(pictures).present(first) == ()
    assert RunData.open(config).present(first) == ("visual",)


def test_a_modality_that_nobody_has_is_refused(config: RunConfig) -> None:
    with pytest.raises(
        InputError, match=r"'text' is read from precomputed features, and no training clip has any"
    ):
        RunData.open(config.model_copy(update={"modalities": ("visual", "text")}))


def test_not_standardising_is_another_run(config: RunConfig) -> None:
    raw = reading(config, visual=Input.of("features", standardize=False))
    assert RunData.open(raw).told["visual"].mean == (0, 0, 0)
    assert raw.deciding() != config.deciding()


def reading(config: RunConfig, **inputs: Input) -> RunConfig:
    """The same, with some inputs read in another way."""
    return config.model_copy(update={"inputs": {**config.inputs, **inputs}})
