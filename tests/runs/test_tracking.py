"""The W&B mirror: what stands in an offline run's file, and that nothing about W&B can stop a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_records import COSTS, made_result
from PIL import Image

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, TrackingConfig
from mmvideo.files import write_whole
from mmvideo.records import Prediction
from mmvideo.runs import tracking
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.tracked import confusion
from mmvideo.runs.tracker import NoTracker
from mmvideo.runs.tracking import log_study, offline_hint, open_tracker
from mmvideo.runs.tracking_environment import wanted_mode
from mmvideo.study_records import STUDY, ArmRecord, StudyRecord

CONFIG = RunConfig(
    study="demo",
    arm="late",
    seed=2,
    fusion=FusionChoice.of("late"),
    tracking=TrackingConfig(tags=("first",), artifacts=True),
)
MEASURED: dict[str, Any] = {
    "test": {"accuracy": 0.75},
    "costs": COSTS | {"parameters": 123},
    "failed_clips": {"a": "broken"},
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, CONFIG, "data")


def inspect(folder: Path, *options: str) -> str:
    """What W&B's own reader finds in an offline run's file."""
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", *options, folder]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def only_run(study_dir: Path) -> Path:
    [folder] = (study_dir / "wandb").glob("offline-run-*")
    return folder


def track_a_run(run: RunDirectory) -> None:
    tracker = open_tracker(CONFIG, run.path, run.signature)
    for epoch in (1, 2):
        tracker.log(
            {"epoch": epoch, "step": 10 * epoch, "split": "train", "loss": 1 / epoch}, step=10 * epoch
        )
        val = {"split": "val", "accuracy": 0.5, "gates_visual": epoch / 10}
        tracker.log({"epoch": epoch, "step": 10 * epoch} | val, step=10 * epoch)
    (run.checkpoints / "best.safetensors").write_bytes(b"weights")
    rows = [
        Prediction(id=name, group="g", label=label, present=(), log_probabilities=(-0.1, -2.0))
        for name, label in (("a", "cat"), ("b", "dog"))
    ]
    run.write_predictions("test", rows)
    tracker.finish(made_result(run.path, CONFIG, **MEASURED))


@pytest.mark.usefixtures("offline")
def test_an_offline_file_holds_the_run(run: RunDirectory) -> None:
    arm = ArmRecord(name="late", role="control", factors={"fusion": "late"})
    study = StudyRecord(
        name="demo", title="", axes=(), arms=(arm,), seeds=(2,), limits=None, manifest="clips.jsonl"
    )
    write_whole(run.path.parent / STUDY, study.text())
    track_a_run(run)
    folder = only_run(run.path.parent)
    records = [json.loads(line) for line in inspect(folder, "--json").splitlines()]
    identity = next(record["run"] for record in records if record["type"] == "run")
    assert identity["run_group"] == "demo"
    assert identity["job_type"] == "late"
    assert identity["display_name"] == "late-s2"
    assert identity["tags"] == ["first"]
    assert identity["run_id"] == f"demo-late-s2-{run.signature}"
    assert identity["config"]["update"]["fusion"] == CONFIG.fusion.model_dump()
    assert identity["config"]["update"]["train"]["epochs"] == CONFIG.train.epochs
    grouped = {"study": "demo", "arm": "late", "seed": 2, "signature": run.signature, "role": "control"}
    grouped |= {"subset": "visual+audio+text", "factors": {"fusion": "late"}, "dataset": "mixed"}
    assert {key: identity["config"]["update"].get(key) for key in grouped} == grouped

    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    losses = [(row["step"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [(10, 1.0), (20, 0.5)]
    assert [(row["step"], row["epoch"]) for row in rows if "val/accuracy" in row] == [(10, 1), (20, 2)]

    assert [row["val/gates_visual"] for row in rows if "val/gates_visual" in row] == [0.1, 0.2]
    artifacts = [record["artifact"] for record in records if record["type"] == "artifact"]
    [kept] = [artifact for artifact in artifacts if artifact["type"] == "model"]
    assert [file["path"] for file in kept["manifest"]["contents"]] == ["best.safetensors"]

    shown = inspect(folder, "--summary")
    assert "finished (exit code 0)" in shown
    summary = dict(line.split(maxsplit=1) for line in shown.splitlines() if len(line.split()) == 2)
    assert summary["test/accuracy"] == "0.75"
    assert summary["costs/parameters"] == "123"
    assert "broken" not in shown

    [table] = folder.glob("files/media/table/test/*.json")
    counts = {(actual, predicted): n for actual, predicted, n in json.loads(table.read_text())["data"]}
    assert counts == {("cat", "cat"): 1, ("cat", "dog"): 0, ("dog", "cat"): 1, ("dog", "dog"): 0}


@pytest.mark.usefixtures("offline")
def test_a_run_that_fails_is_not_left_running(run: RunDirectory) -> None:
    tracker = open_tracker(CONFIG, run.path, run.signature)
    tracker.log({"epoch": 1, "step": 10, "split": "train", "loss": 1.0}, step=10)
    tracker.fail()
    assert "failed (exit code 1)" in inspect(only_run(run.path.parent), "--summary")


@pytest.mark.usefixtures("offline")
def test_a_study_gets_a_summary_run_and_a_hint_that_works(tmp_path: Path) -> None:
    figure, page = tmp_path / "accuracy.png", tmp_path / "report.html"
    Image.new("L", (2, 1)).save(figure)
    page.write_text("<!doctype html><script>chart()</script>")
    table = pd.DataFrame(
        {"arm": ["late", "early"], "accuracy": [0.5, None], "n": [1, 2], "odd": [(1, 2), None]}
    )
    hardest = pd.DataFrame({"id": ["clip", "other"], "picture": [figure.read_bytes(), b""]})
    study_dir = tmp_path / "runs" / "demo"
    log_study(
        "demo",
        study_dir,
        TrackingConfig(),
        tables={"comparison": table, "hardest": hardest},
        figures={"accuracy": figure, "report": page},
        summary={"answer": "late is better"},
    )
    folder = only_run(study_dir)
    shown = inspect(folder, "--summary")
    assert "answer      late is better" in shown
    assert list(folder.glob("files/media/images/accuracy*.png"))
    [shown_there] = folder.glob("files/media/html/report*.html")
    assert shown_there.read_bytes() == page.read_bytes(), "its charts are those of the page"
    [written] = folder.glob("files/media/table/comparison*.json")
    content = json.loads(written.read_text())
    assert [row[content["columns"].index("arm")] for row in content["data"]] == ["late", "early"]
    records = [json.loads(line) for line in inspect(folder, "--json").splitlines()]
    kept = [record["artifact"] for record in records if record["type"] == "artifact"]
    files = [file["path"] for artifact in kept for file in artifact["manifest"]["contents"]]
    assert len([path for path in files if path.endswith(".png")]) == 1, "the picture, in its table"

    hint = offline_hint(study_dir)
    assert hint is not None
    look, upload = hint.splitlines()
    assert look.endswith(f"wandb leet {study_dir}/wandb")
    dry = subprocess.run(f"{upload} --dry-run", shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert "Would sync 1 run" in dry.stderr + dry.stdout


@pytest.mark.parametrize("how", ["mode", "config"])
def test_switched_off_nothing_is_written(
    how: str, tmp_path: Path, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled" if how == "mode" else "offline")
    config = CONFIG.model_copy(update={"tracking": TrackingConfig(wandb=how == "mode")})
    tracker = open_tracker(config, run.path, run.signature)
    tracker.log({"epoch": 1, "split": "val", "accuracy": 0.5}, step=1)
    tracker.finish(made_result(run.path, CONFIG))
    tracker.fail()
    assert isinstance(tracker, NoTracker)
    assert not (tmp_path / "demo" / "wandb").exists()
    assert offline_hint(tmp_path / "demo") is None


@pytest.mark.usefixtures("offline")
def test_a_w_and_b_that_does_not_start_is_one_warning(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("no service")

    monkeypatch.setattr("wandb.init", refuse)
    track_a_run(run)
    assert capsys.readouterr().err == "mmvideo: warning: W&B tracking is off for late-s2: no service\n"


def test_a_w_and_b_that_breaks_on_the_way_is_one_warning(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def log(self, _: dict[str, Any]) -> None:
            raise RuntimeError("disk full")

    tracker = tracking.WandbTracker(Broken(), run.path)  # type: ignore[arg-type]
    tracker.log({"epoch": 1}, step=1)
    tracker.log({"epoch": 2}, step=2)
    tracker.finish(made_result(run.path, CONFIG))
    assert capsys.readouterr().err.count("disk full") == 1


def test_many_classes_show_the_pairs_confused_most(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matrix of 500 classes has 250,000 cells, and W&B shows 10,000."""
    classes = tuple(f"class {number}" for number in range(500))
    predicted = {"a": 1, "b": 1, "c": 0, "d": 7}
    rows = [
        Prediction(
            id=name, group="g", label="class 0", present=(),
            log_probabilities=tuple(0.0 if place == number else -9.0 for place in range(500)),
        )
        for name, number in predicted.items()
    ]  # fmt: skip
    run.write_predictions("test", rows)
    found = confusion(run.path, classes)
    assert list(found) == ["test/most_confused"]
    table = found["test/most_confused"]
    assert table.columns == ["label", "predicted", "clips"]
    assert table.data == [["class 0", "class 1", 2], ["class 0", "class 7", 1]]


def test_a_server_that_hangs_at_the_end_is_left_with_what_to_do(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hangs:
        summary: dict[str, Any] = {}  # noqa: RUF012
        settings = type("Settings", (), {"sync_dir": "runs/demo/wandb/run-1"})

        def log(self, _: dict[str, Any]) -> None:
            pass

        def finish(self, exit_code: int = 0) -> None:
            raise TimeoutError("Timed out finishing run.")

    monkeypatch.setattr(tracking, "_unreachable", False)
    result = made_result(run.path, CONFIG, task="regression")
    tracking.WandbTracker(Hangs(), run.path).finish(result)  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "wandb sync runs/demo/wandb/run-1` uploads the rest" in told
    assert tracking._unreachable


@pytest.mark.parametrize(
    ("given", "mode", "warned"),
    [
        ("", None, False), (" ", None, False), ("Offline", "offline", False), ("DISABLED", "disabled", False),
        ("dryrun", "offline", False), ("of", "offline", True),
    ],
)  # fmt: skip
def test_a_mode_is_understood_however_it_is_written(
    given: str, mode: str | None, warned: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("WANDB_MODE", given)
    assert wanted_mode() == mode
    assert os.environ.get("WANDB_MODE") == mode, "W&B reads it too"
    assert ("WANDB_MODE is 'of'" in capsys.readouterr().err) == warned


SWEEP = """
import sys
from pathlib import Path
from mmvideo.config import RunConfig
from mmvideo.runs import tracking
for arm, seed in (("late", 0), ("late", 1), ("early", 0), ("late", 0)):
    config = RunConfig(study="demo", arm=arm, seed=seed)
    tracker = tracking.open_tracker(config, Path(sys.argv[1], "demo", f"{arm}-s{seed}-0"), "0")
    print(tracker._run.id, tracker._run.sweep_id)
    tracker.fail()
"""


def test_only_the_first_run_of_a_sweeps_trial_is_the_trial(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if "WANDB" not in key}
    trial = {"WANDB_SWEEP_ID": "sweep1", "WANDB_RUN_ID": "trial1", "WANDB_MODE": "Offline"}
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(tmp_path)],
        env=clean | {"HOME": str(tmp_path)} | trial,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=90,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "trial1 sweep1",
        "demo-late-s1-0 None",
        "demo-early-s0-0 None",
        "trial1 sweep1",
    ]


SCRIPT = """
import sys
from pathlib import Path
from mmvideo.config import RunConfig
from mmvideo.runs import tracking
tracking.INIT_SECONDS = 1.0
for seed in (0, 1):
    run_dir = Path(sys.argv[1], "demo", f"run-s{seed}-0")
    tracker = tracking.open_tracker(RunConfig(study="demo", seed=seed), run_dir, "0")
    tracker.fail()
    print(type(tracker).__name__)
"""


@pytest.mark.parametrize(
    ("environment", "warnings"),
    [
        ({}, 0),
        ({"WANDB_MODE": "online"}, 0),
        ({"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}, 1),
    ],
    ids=["no key", "online without a key", "no server"],
)
def test_without_key_or_server_it_goes_offline_and_never_asks(
    environment: dict[str, str], warnings: int, tmp_path: Path
) -> None:
    # WANDB_SERVICE, too: with it, the process would share the W&B service of the tests before
    clean = {key: value for key, value in os.environ.items() if "WANDB" not in key}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=clean | {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "WandbTracker\nWandbTracker\n"
    assert len(list((tmp_path / "demo" / "wandb").glob("offline-run-*"))) == 2
    assert done.stderr.count("mmvideo: warning: W&B could not be reached") == warnings


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("machine api.wandb.ai login user password secret", True),
        ("machine other.org login user password secret", False),
    ],
)
def test_a_key_counts_only_for_the_configured_host(
    content: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text(content)
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert tracking._mode("https://api.wandb.ai") == ("online" if found else "offline")
