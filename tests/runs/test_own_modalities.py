"""Runs of modalities of one's own names: all masks, subsets and controls, alone and beside those of video."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_modalities import OWN, WITHOUT_TONE

from mmvideo.cli import main
from mmvideo.clips.manifest import read_manifest, write_manifest
from mmvideo.config import Input, RunConfig
from mmvideo.data.dataset import PermutedModalities
from mmvideo.data.run_data import RunData
from mmvideo.errors import InputError
from mmvideo.files import read_json
from mmvideo.report import write_report
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.studies.language import Axis, study_of
from mmvideo.vocabulary import MODALITIES, presence_pattern

Configure = Callable[..., RunConfig]


def result(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


def present(run: Path, split: str = "test") -> dict[str, list[str]]:
    lines = (run / f"predictions_{split}.jsonl").read_text().splitlines()
    return {row["id"]: row["present"] for row in map(json.loads, lines)}


def patterns(names: tuple[str, ...]) -> set[str]:
    """What all subsets of the modalities are called, each in their order."""
    return {presence_pattern(s) for size in range(len(names) + 1) for s in combinations(names, size)}


@pytest.fixture(scope="module")
def run(configure_own: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return execute(configure_own(), root=tmp_path_factory.mktemp("runs"))


def test_the_record_tells_of_them_by_name(run: Path) -> None:
    found = result(run)
    assert set(found["test_subsets"]) == patterns(OWN)
    assert found["test_subsets"]["flow+mrna+tone"]["accuracy"] == found["test"]["accuracy"]
    assert found["test"]["accuracy"] > 0.7, "half of the clips are of each class"
    assert found["feature_values_zeroed"] == dict.fromkeys(OWN, 0)
    assert set(found["train_presence"]) == {"flow+mrna+tone"}
    assert found["costs"]["flops_per_clip"] > 0
    named = present(run)
    assert named.pop(WITHOUT_TONE) == ["flow", "mrna"]
    assert set(map(tuple, named.values())) == {OWN}


def test_each_keeps_what_it_learnt_and_its_own_shape(run: Path, configure_own: Configure) -> None:
    learnt = {file.stem: read_json(file) for file in (run / "inputs").iterdir()}
    shapes = {name: (kept["width"], kept["longest"]) for name, kept in learnt.items()}
    assert shapes == {"flow": (3, 4), "mrna": (5, 1), "tone": (2, 1)}
    data = RunData.open(configure_own())
    sample = data.dataset("test")[0]
    assert sample.id == WITHOUT_TONE
    assert [len(values) for values, _ in sample.inputs.values()] == [4, 1, 0]
    np.testing.assert_allclose(sample.inputs["flow"][1], [0.125, 0.375, 0.625, 0.875])


def test_it_is_evaluated_again_with_some_of_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subsets = result(run)["test_subsets"]
    assert evaluate_run(run) == result(run)["test"]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--modalities", "flow+mrna"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == subsets["flow+mrna"]["accuracy"]
    with pytest.raises(InputError, match=r"'mrn'. Did you mean 'mrna'\? Known: flow, mrna, tone"):
        evaluate_run(run, modalities=["flow", "mrn"])


def test_the_control_permutes_all_but_the_first(configure_own: Configure) -> None:
    clips = RunData.open(configure_own()).dataset("train")
    permuted = PermutedModalities(clips, seed=0)
    for index in (0, 1, 20):
        own, mixed = clips[index], permuted[index]
        assert own.inputs["flow"][0].equal(mixed.inputs["flow"][0])
        assert not own.inputs["mrna"][0].equal(mixed.inputs["mrna"][0])
        assert list(mixed.inputs) == list(OWN)


@pytest.fixture(scope="module")
def four(configure: Configure, planted: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """Planted clips, all but the first of test with a `flow` too, which is written down before the rest."""
    folder = tmp_path_factory.mktemp("four")
    manifest = read_manifest(planted)
    flow = np.random.default_rng(0).normal(0, 1, (len(manifest.clips), 6, 3)).astype(np.float32)
    np.save(folder / "flow.npy", flow)
    clips = []
    for i, clip in enumerate(manifest.clips):
        files = {field: str(path) for field in ("video", "subtitles") if (path := manifest.path(clip, field))}
        features = {} if clip.id == "test-00000" else {"flow": f"flow.npy#{i}"}
        clips.append(clip.model_copy(update={**files, "features": features}))
    write_manifest(folder / "manifest.jsonl", clips)
    config = configure()
    data = config.data.model_copy(update={"manifest": str(folder / "manifest.jsonl")})
    return configure(inputs={"flow": Input.of("features"), **config.inputs}, data=data)


def test_one_of_them_beside_those_of_video(four: RunConfig, tmp_path: Path) -> None:
    names = (*MODALITIES, "flow")
    assert four.modalities == names
    run = execute(four, root=tmp_path)
    found = result(run)
    assert set(found["test_subsets"]) == patterns(names)
    assert len(found["test_subsets"]) == 2**4
    named = present(run)
    assert "flow" not in named["test-00000"]
    assert all(given == [name for name in names if name in given] for given in named.values())
    assert {file.name for file in (run / "inputs").iterdir()} == {"text.json", "flow.json"}
    shown = evaluate_run(run, modalities=["visual", "flow"])
    assert shown["accuracy"] == found["test_subsets"]["visual+flow"]["accuracy"]


@pytest.mark.parametrize("which", ["three", "four"])
def test_a_study_of_them_ends_in_a_page_with_its_controls(
    which: str, four: RunConfig, configure_own: Configure, tmp_path: Path
) -> None:
    config = configure_own() if which == "three" else four
    names = config.modalities
    seeds = (0, 1) if which == "three" else (0,)
    study = study_of(config, Axis("fusion", ("late",)), name=which, title=which, seeds=seeds)
    runs = [execute(one, root=tmp_path / "runs").name for one in study.runs()]
    comparison, _ = write_report(study.write(tmp_path / "runs", "data", runs), tmp_path / "report")
    rows = comparison.table.set_index("arm")
    controls = {"score averaging", "majority class", "missingness baseline"}
    assert set(rows.index) == {"late", *names, *controls}
    assert rows.loc["late", "modalities"] == rows.loc["score averaging", "modalities"] == "+".join(names)
    assert comparison.best_unimodal in names
    assert rows["accuracy"].notna().all()
    assert rows.loc["late", ["permuted_accuracy", "flops_per_clip"]].notna().all()
    page = (tmp_path / "report" / "report.html").read_text()
    assert all(f">{name}<" in page for name in names)
