"""Exported sweeps: W&B reads the same space from them, and its agent starts a trial that is one of ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps import utils

from mmvideo.cli import main
from mmvideo.studies.loading import load_study
from mmvideo.studies.proposals import distributions
from mmvideo.studies.space import SPACE, Among, Range, Space
from mmvideo.studies.sweep_file import parameters

REPOSITORY = Path(__file__).parents[2]
KEPT = REPOSITORY / "experiments" / "sweeps"


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def as_optuna_of_wandb(params: dict[str, Any]) -> dict[str, Any]:
    optuna = pytest.importorskip("wandb.sdk.sweeps.scheduler.optuna", reason="an older W&B")
    return optuna.search_space_from_sweep_config(params)


def test_wandb_reads_the_space_that_is_swept_here() -> None:
    space: Space = {
        **SPACE,
        "layers": Range(1, 6, whole=True),
        "heads": Range(2, 16, log=True, whole=True),
        "fusion.name": Among(("late", "early")),
    }
    assert as_optuna_of_wandb(parameters(space)) == distributions(space)


def test_the_files_that_are_kept_are_those_that_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "experiments/fusion_strategies.py", "--export", str(tmp_path), "--workers", "2"])
    assert ended.value.code == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    study = load_study("experiments/fusion_strategies.py")  # named by its planted task, where that was made
    kept = {f"{study.name}-{arm.name}.yaml": KEPT / f"planted-{arm.name}.yaml" for arm in study.arms}
    assert [file.name for file in written] == list(kept)
    assert set(kept.values()) == set(KEPT.iterdir())
    for file in written:
        text = file.read_text().replace(f"name: {study.name}/", "name: planted/", 1)
        assert text == kept[file.name].read_text(), "mmvideo sweep … --export experiments/sweeps"
        found = read(file)
        assert as_optuna_of_wandb(found["parameters"]) == distributions(SPACE)
        assert (found["run_cap"], found["metric"]["name"]) == (16, "val/accuracy"), "as many for each arm"


def test_what_the_agent_starts_is_a_command_of_ours() -> None:
    """As `wandb agent` fills a command in."""
    found = read(KEPT / "planted-late.yaml")
    command = utils.create_sweep_command(found["command"])
    args = {name: {"value": value} for name, value in (("width", 64), ("train.learning_rate", 0.001))}
    flags = utils.create_sweep_command_args({"args": args})["args_no_hyphens"]
    at = command.index("${args_no_hyphens}")
    whole = [*command[:at], *flags, *command[at + 1 :]]
    assert whole[1:] == [
        "mmvideo", "sweep", "experiments/fusion_strategies.py",
        "--arm", "late", "--try", "width=64", "train.learning_rate=0.001",
    ]  # fmt: skip


def test_flags_that_cannot_be_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "file").touch()
    study = str(REPOSITORY / "experiments" / "fusion_strategies.py")
    for flags, told in (
        (["--export", str(tmp_path / "file")], "another folder with --export"),
        (["--arm", "late", "--try", "width=64", "--dry-run"], "--dry-run tells the plan"),
        (["--arm", "late", "--try", "seed=3"], "'seed' is not tuned"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["sweep", study, *flags])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err
