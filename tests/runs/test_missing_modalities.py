"""Runs judged with some modalities only, and what an objective adds to a run and leaves out of its model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmvideo.cli import main
from mmvideo.clips.manifest import read_manifest
from mmvideo.components import FusionChoice, ObjectiveChoice
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute

Configure = Callable[..., RunConfig]


def test_the_result_holds_every_subset_of_the_modalities(finished: Path, planted: Path) -> None:
    result = RunDirectory(finished).result()
    subsets = result.test_subsets
    assert set(subsets) == {
        "none", "visual", "audio", "text", "visual+audio", "visual+text", "audio+text", "visual+audio+text",
    }  # fmt: skip
    assert subsets["visual+audio+text"] == {"accuracy": result.test["accuracy"]}
    for shown in ("visual", "audio+text"):
        metrics = evaluate_run(finished, modalities=shown.split("+"))
        assert subsets[shown] == {"accuracy": metrics["accuracy"]}
    manifest = read_manifest(planted)
    train = [clip.label for clip in manifest.split("train")]
    counts = [train.count(name) for name in manifest.classes]
    tested = [clip.label for clip in manifest.split("test")]
    majority = tested.count(manifest.classes[int(np.argmax(counts))]) / len(tested)
    assert subsets["none"] == {"accuracy": pytest.approx(majority)}


def test_with_nothing_shown_the_loss_is_the_priors(finished: Path, planted: Path) -> None:
    prior = load_file(finished / "checkpoints" / "best.safetensors")["prior"]
    torch.testing.assert_close(prior.exp().sum(), torch.tensor(1.0))
    manifest = read_manifest(planted)
    index = {name: i for i, name in enumerate(manifest.classes)}
    losses = [-prior[index[str(clip.label)]].item() for clip in manifest.split("test")]
    assert evaluate_run(finished, modalities=())["nll"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_command_line_takes_a_subset(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(finished), "--modalities", "visual+audio"])
    assert ended.value.code == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["accuracy"] == RunDirectory(finished).result().test_subsets["visual+audio"]["accuracy"]


def test_a_modality_the_run_does_not_have_is_refused(finished: Path) -> None:
    with pytest.raises(
        InputError, match=r"Unknown modality of the run all-s0-.* 'vision'. Did you mean 'visual'"
    ):
        evaluate_run(finished, modalities=["vision"])


@pytest.mark.parametrize("fusion", ["late", "early"])
def test_what_an_objective_adds_is_not_the_deployed_models(
    configure: Configure, tmp_path: Path, fusion: str
) -> None:
    """Heads; and with early fusion, which reads stems, also the trunks that the heads stand on."""
    shared: dict[str, Any] = {"modalities": ("audio", "text"), "fusion": FusionChoice.of(fusion)}
    plain = execute(configure(arm="plain", **shared), root=tmp_path)
    objective = ObjectiveChoice.of("unimodal_auxiliary")
    helped = execute(configure(arm="helped", objective=objective, **shared), root=tmp_path)
    before, after = (RunDirectory(path).result().costs.model_dump() for path in (plain, helped))
    for cost in ("parameters", "trainable_parameters", "flops_per_clip"):
        assert after[cost] == before[cost]
    assert before["objective_parameters"] == 0
    heads = 2 * (16 * 4 + 4)
    added = after["objective_parameters"]
    assert added == heads if fusion == "late" else added > heads + 1000
    assert evaluate_run(helped) == RunDirectory(helped).result().test


def test_the_same_weights_are_drawn_whatever_the_objective(configure: Configure, tmp_path: Path) -> None:
    """So that arms that differ in the objective start from one point."""
    losses = {}
    for name in ("cross_entropy", "ogm"):
        objective = ObjectiveChoice.of(name, **({"alpha": 0.0} if name == "ogm" else {}))
        shared: dict[str, Any] = {"modalities": ("audio", "text"), "fusion": FusionChoice.of("late")}
        run = execute(configure(arm=name, objective=objective, **shared), root=tmp_path)
        losses[name] = [line.loss for line in RunDirectory(run).metrics()]
    assert losses["ogm"] == pytest.approx(losses["cross_entropy"], rel=1e-6)
