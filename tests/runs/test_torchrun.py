"""A run in processes that torchrun has begun is the run of one: one record, one log, one message."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_runs import small_inputs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mmvideo.cli import main
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, RuntimeConfig, TrainConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs import torchrun
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute
from mmvideo.training import loop
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.weights import read_weights


def by_torchrun(work: Callable[..., Any], *arguments: Any, count: int = 2) -> dict[int, Any]:
    """What each process comes to, of those that torchrun begins; here, of forks, which import nothing."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",
        monitor_interval=0.1,
        max_restarts=0,
    )
    torchrun.launched.cache_clear()
    return elastic_launch(config, begun)(work, *arguments)


def begun(work: Callable[..., Any], *arguments: Any) -> Any:
    """Unlike a fork, a process that torchrun begins has no handlers of torchrun's own."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return work(*arguments)


@pytest.fixture
def config(configure: Callable[..., RunConfig]) -> RunConfig:
    """Without dropout, of which processes draw for their own part; the last batch has three clips."""
    return configure(
        modalities=("audio", "text"),
        inputs=small_inputs({"audio": {"dropout": 0.0}, "text": {"dropout": 0.0}}),
        fusion=FusionChoice.of("late", dropout=0.0),
        train=TrainConfig(epochs=2, batch_size=15, modality_dropout={"text": 0.3}, select="last"),
    )


def train(config: RunConfig, root: Path, told: Path) -> str:
    """What torchrun's processes each do, as the command does; what they print is kept by process."""
    with (
        (told / f"said-{os.environ['RANK']}").open("w") as file,
        redirect_stdout(file),
        redirect_stderr(file),
    ):
        return str(execute(config, root=root, progress=True))


def outputs(run: Path) -> np.ndarray:
    rows = (run / "predictions_test.jsonl").read_text().splitlines()
    return np.array([json.loads(row)["log_probabilities"] for row in rows])


def agree(run: Path, other: Path) -> None:
    assert run.name == other.name, "processes are not what decides a run"
    expected, found = (read_weights(of / "checkpoints/best.safetensors") for of in (run, other))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(outputs(other), outputs(run), rtol=0, atol=1.1e-5)


def broken_off(config: RunConfig, root: Path, told: Path) -> None:
    """The first process is killed once the first epoch is saved."""
    save = Checkpoints.save_last

    def then_die(self: Checkpoints, state: dict[str, Any]) -> None:
        save(self, state)
        os.kill(os.getpid(), signal.SIGKILL)

    Checkpoints.save_last = then_die  # type: ignore[method-assign]
    train(config, root, told)


def test_torchrun_makes_the_run_of_one_process_and_ends_what_another_number_began(
    config: RunConfig, tmp_path: Path
) -> None:
    one = execute(config, root=tmp_path / "one")
    paths = by_torchrun(train, config, tmp_path / "two", tmp_path)
    two = Path(paths[0])
    assert paths == {0: str(two), 1: str(two)}
    agree(one, two)
    assert json.loads((two / "env.json").read_text())["device"].endswith(" × 2")
    assert [(line.epoch, line.split) for line in RunDirectory(two).metrics()] == [
        *((1, "train"), (1, "val"), (2, "train"), (2, "val"))
    ]
    assert "Note: " in (tmp_path / "said-0").read_text()
    assert (tmp_path / "said-1").read_text() == ""
    with pytest.raises(ChildFailedError, match="SIGKILL"):
        by_torchrun(broken_off, config, tmp_path / "moved", tmp_path, count=3)
    agree(one, Path(by_torchrun(train, config, tmp_path / "moved", tmp_path)[1]))


def command(told: Path, *arguments: str, failing: int | None = None) -> None:
    """`mmvideo` in each process; in one of them, training may fail."""
    rank = int(os.environ["RANK"])

    def fail(*_: Any) -> None:
        raise TrainingError("the loss is nan")

    if rank == failing:
        loop._train_epoch = fail  # type: ignore[assignment]
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            main(arguments)
    finally:
        (told / f"code-{rank}").write_text(str(getattr(sys.exc_info()[1], "code", "?")))
        (told / f"said-{rank}").write_text(said.getvalue())


def said(folder: Path) -> list[str]:
    return [(folder / f"said-{rank}").read_text() for rank in (0, 1)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["ablate", "experiments/fusion_strategies.py"],
            "torchrun has begun 2 processes, but a study begins",
        ),
        (["train", "experiments/nowhere.py"], "nowhere.py"),
        (["train", "experiments/bases.py:planted", "--train.epoch", "3"], "--train.epoch"),
    ],
)
def test_one_process_tells_a_mistake(arguments: list[str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(ChildFailedError):
        by_torchrun(command, tmp_path, *arguments)
    assert expected in (tmp_path / "said-0").read_text()
    assert (tmp_path / "code-0").read_text() == "2"
    assert not (tmp_path / "said-1").exists(), "it waits until torchrun ends it"


def test_all_processes_end_with_a_command_that_only_tells(tmp_path: Path) -> None:
    by_torchrun(quietly, tmp_path)
    assert ["usage: mmvideo" in text for text in said(tmp_path)] == [True, False]
    assert [(tmp_path / f"code-{rank}").read_text() for rank in (0, 1)] == ["0", "0"]


def quietly(told: Path) -> None:
    with pytest.raises(SystemExit):
        command(told, "train", "--help")


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_in_training_ends_all_and_is_told_once(
    failing: int, config: RunConfig, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(config.model_dump_json())
    arguments = ("train", str(tmp_path / "config.json"), "--root", str(tmp_path / "runs"))
    with pytest.raises(ChildFailedError):
        by_torchrun(failing_in, failing, tmp_path, arguments)
    assert "mmvideo: error: the loss is nan" in (tmp_path / f"said-{failing}").read_text()
    assert (tmp_path / f"code-{failing}").read_text() == "1"
    assert not (tmp_path / f"said-{1 - failing}").exists()


def failing_in(failing: int, told: Path, arguments: tuple[str, ...]) -> None:
    command(told, *arguments, failing=failing)


def test_without_torchrun_work_is_done_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun.launched.cache_clear()
    assert torchrun.in_all(lambda: 3) == 3
    torchrun.refuse_torchrun("a study")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "1")
    torchrun.launched.cache_clear()
    assert torchrun.launched() is None, "there is no other process"


def other_number(config: RunConfig) -> int:
    from mmvideo.runs.processes import on_what_is_there

    return on_what_is_there(config).runtime.devices


def test_torchruns_processes_are_the_runs_devices(config: RunConfig, capfd: Any) -> None:
    asked = config.model_copy(update={"runtime": RuntimeConfig(device="cpu", devices=4)})
    assert by_torchrun(other_number, asked) == {0: 2, 1: 2}
    assert "torchrun has begun 2 processes, so runtime.devices 4 does not count" in capfd.readouterr().err


def elsewhere(config: RunConfig, root: Path, told: Path) -> None:
    """One process does not see the folder that the first has made."""
    if os.environ["RANK"] == "1":
        os.chdir(told / "elsewhere")
    try:
        execute(config, root=root)
    except InputError as error:
        (told / "error").write_text(str(error))
        raise


def test_a_folder_that_not_all_see_is_told_before_training(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ChildFailedError):
        by_torchrun(elsewhere, config, Path("runs"), tmp_path)
    assert "Process 1 of the run does not find" in (tmp_path / "error").read_text()
