"""Runs that start from finished ones: weights, and with them what those runs had learnt of their data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_modalities import own_manifest
from planted_runs import small_inputs
from safetensors.torch import load_file

from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.files import read_json
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.vocabulary import SPLITS

Configure = Callable[..., RunConfig]
SINGLE = FusionChoice.of("single")


def weights(run: Path, modality: str) -> dict[str, Any]:
    loaded = load_file(run / "checkpoints" / "best.safetensors")
    return {name: value for name, value in loaded.items() if name.startswith(f"encoders.{modality}.")}


def same(a: Path, b: Path, modality: str) -> bool:
    """Whether two runs ended with the same encoder."""
    left, right = weights(a, modality), weights(b, modality)
    assert left
    assert left.keys() == right.keys()
    return all((left[name] == right[name]).all() for name in left)


@pytest.fixture(scope="module")
def flow(configure_own: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `flow` alone, on vectors that lie elsewhere than those of the other runs."""
    folder = tmp_path_factory.mktemp("shifted")
    config = configure_own(manifest=own_manifest(folder, shift=50.0), modalities=("flow",), fusion=SINGLE)
    return execute(config, root=folder / "runs")


@pytest.fixture(scope="module")
def mrna(configure_own: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return execute(configure_own(modalities=("mrna",), fusion=SINGLE), root=tmp_path_factory.mktemp("runs"))


def test_an_own_modality_goes_on_from_its_run(
    flow: Path, mrna: Path, configure_own: Configure, tmp_path: Path
) -> None:
    warm = configure_own(modalities=("flow", "mrna"), encoders_from=(str(flow), str(mrna)))
    frozen = execute(warm.model_copy(update={"encoders_frozen": True}), root=tmp_path)
    assert same(frozen, flow, "flow")
    assert same(frozen, mrna, "mrna")
    learnt = read_json(frozen / "inputs" / "flow.json")
    assert learnt == read_json(flow / "inputs" / "flow.json")
    assert all(abs(mean - 50) < 2 for mean in learnt["mean"]), "that of the run it goes on from"
    again = evaluate_run(frozen)
    assert again == json.loads((frozen / "result.json").read_text())["test"]
    trained = execute(warm, root=tmp_path)
    assert not same(trained, flow, "flow")
    assert trained.name != frozen.name


def test_a_modality_without_a_run_is_left_at_random_but_not_frozen(
    flow: Path, configure_own: Configure, tmp_path: Path
) -> None:
    config = configure_own(encoders_from=(str(flow),))
    learnt = read_json(execute(config, root=tmp_path) / "inputs" / "mrna.json")
    assert all(abs(mean) < 2 for mean in learnt["mean"])
    with pytest.raises(InputError, match="no run of encoders_from has an encoder for mrna, tone"):
        execute(config.model_copy(update={"encoders_frozen": True}), root=tmp_path)


def test_text_is_read_by_the_tokenizer_of_the_run_it_goes_on_from(
    configure: Configure, tmp_path: Path
) -> None:
    """A tokenizer of other words would make nonsense of its embeddings."""

    def trained(name: str, words: tuple[str, str], **changes: Any) -> Path:
        clips = [
            Clip(id=f"{split}{i}", label=f"class{i % 2}", group=f"{split}{i}", split=split,
                 metadata={"said": words[i % 2]})
            for split in SPLITS
            for i in range(8)
        ]  # fmt: skip
        write_manifest(tmp_path / f"{name}.jsonl", clips)
        config = configure(
            text_alone=True, arm=name, inputs=small_inputs(text={"metadata_fields": ("said",)}), **changes
        )
        data = config.data.model_copy(update={"manifest": str(tmp_path / f"{name}.jsonl")})
        return execute(config.model_copy(update={"data": data}), root=tmp_path / "runs")

    first = trained("first", ("so glad", "very sad"))
    cold = trained("cold", ("merry", "gloomy"))
    warm = trained("warm", ("merry", "gloomy"), encoders_from=(str(first),))
    of_first, of_cold, of_warm = ((run / "inputs" / "text.json").read_bytes() for run in (first, cold, warm))
    assert of_warm == of_first != of_cold
    assert evaluate_run(warm) == json.loads((warm / "result.json").read_text())["test"]
