"""The run directory: what stands in it, when a run counts as finished, and that one process trains it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.config import RunConfig, RuntimeConfig
from mmvideo.errors import InputError
from mmvideo.runs import directory
from mmvideo.runs.directory import RunDirectory, write_atomically

CONFIG = RunConfig(study="demo", arm="late", seed=3)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, CONFIG, "data")


def test_its_place_and_content(tmp_path: Path, run: RunDirectory) -> None:
    assert run.path == tmp_path / "demo" / f"late-s3-{CONFIG.signature('data')}"
    assert run == RunDirectory.locate(tmp_path, CONFIG, "data")
    assert run.signature == CONFIG.signature("data")
    assert run.config == CONFIG
    environment = json.loads((run.path / "env.json").read_text())
    assert environment["data_fingerprint"] == "data"
    assert environment["versions"]["torch"].startswith("2.")
    assert os.uname().nodename not in (environment["platform"], environment["device"])


def test_other_data_or_other_settings_are_another_run(tmp_path: Path) -> None:
    same = CONFIG.model_copy(update={"runtime": RuntimeConfig(threads=7)})
    assert RunDirectory.locate(tmp_path, same, "data") == RunDirectory.locate(tmp_path, CONFIG, "data")
    assert RunDirectory.locate(tmp_path, CONFIG, "other") != RunDirectory.locate(tmp_path, CONFIG, "data")


def test_finished_if_and_only_if_there_is_a_result(run: RunDirectory) -> None:
    assert not run.finished
    with pytest.raises(InputError, match="not finished"):
        run.result()
    run.write_error("no memory")
    run.write_result({"test": {"accuracy": 0.5}})
    assert run.finished
    assert run.result() == {"test": {"accuracy": 0.5}}
    assert not (run.path / "error.txt").exists()


def test_a_finished_record_is_not_rewritten(tmp_path: Path, run: RunDirectory) -> None:
    run.write_result({})
    (run.path / "env.json").write_text("as it was")
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert (run.path / "env.json").read_text() == "as it was"


def test_a_resumed_run_names_both_environments(
    tmp_path: Path, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = json.loads((run.path / "env.json").read_text())
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert json.loads((run.path / "env.json").read_text()) == began
    monkeypatch.setattr(directory, "describe_environment", lambda config, data: {"device": "another"})
    RunDirectory.create(tmp_path, CONFIG, "data")
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert json.loads((run.path / "env.json").read_text()) == began | {"resumed_in": [{"device": "another"}]}


@given(epochs=st.lists(st.integers(1, 9), max_size=12), kept=st.integers(0, 10), torn=st.booleans())
def test_metrics_up_to_an_epoch_survive_and_a_torn_line_does_not(
    tmp_path_factory: pytest.TempPathFactory, epochs: list[int], kept: int, torn: bool
) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    for epoch in epochs:
        run.log_metrics({"epoch": epoch, "loss": 0.5})
    if torn:
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"epoch": 1, "lo')
    assert [line["epoch"] for line in run.metrics()] == epochs
    run.truncate_metrics(kept)
    run.log_metrics({"epoch": 99})
    assert [line["epoch"] for line in run.metrics()] == [e for e in epochs if e <= kept] + [99]


def test_predictions_are_a_line_a_clip(run: RunDirectory) -> None:
    rows = [{"id": "á", "log_probabilities": [-0.1, -2.3]}, {"id": "b", "log_probabilities": [-1.0, -0.5]}]
    run.write_predictions("test", iter(rows))
    lines = (run.path / "predictions_test.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "result.json"
    write_atomically(file, "old")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(file, "new")
    assert file.read_text() == "old"


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match=r"Cannot write to the folder '.*runs.*--root"):
        RunDirectory.create(tmp_path / "runs", CONFIG, "data")


def test_what_is_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        _ = RunDirectory(tmp_path).config


HOLDER = """
import sys, time
from pathlib import Path
from mmvideo.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_keeps_others_out_and_dies_with_its_process(run: RunDirectory) -> None:
    command = [sys.executable, "-c", HOLDER, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="Another process is training"), run.lock():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with run.lock():
        pass
