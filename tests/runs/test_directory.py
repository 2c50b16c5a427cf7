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
from made_records import made_result, metric_line

from mmvideo.config import RunConfig, RuntimeConfig
from mmvideo.errors import InputError
from mmvideo.files import digest_of
from mmvideo.records import Environment, Prediction, RunResult
from mmvideo.runs import directory
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import signature

CONFIG = RunConfig(study="demo", arm="late", seed=3)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, CONFIG, "data")


def test_its_place_and_content(tmp_path: Path, run: RunDirectory) -> None:
    assert run.path == tmp_path / "demo" / f"late-s3-{signature(CONFIG, 'data')}"
    assert run == RunDirectory.locate(tmp_path, CONFIG, "data")
    assert run.signature == signature(CONFIG, "data")
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
    result = made_result(run.path, CONFIG)
    run.write_result(result)
    assert run.finished
    assert run.result().model_copy(update={"seal": None}) == result
    assert not (run.path / "error.txt").exists()


def test_a_finished_record_is_not_rewritten(tmp_path: Path, run: RunDirectory) -> None:
    run.write_result(made_result(run.path, CONFIG))
    (run.path / "env.json").write_text("as it was")
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert (run.path / "env.json").read_text() == "as it was"


def test_a_resumed_run_names_both_environments(
    tmp_path: Path, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = json.loads((run.path / "env.json").read_text())
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert json.loads((run.path / "env.json").read_text()) == began
    here = Environment.model_validate_json((run.path / "env.json").read_text())
    other = here.model_copy(update={"device": "another"})
    monkeypatch.setattr(directory, "describe_environment", lambda config, data: other)
    RunDirectory.create(tmp_path, CONFIG, "data")
    RunDirectory.create(tmp_path, CONFIG, "data")
    assert json.loads((run.path / "env.json").read_text()) == {
        **began,
        "resumed_in": [began | {"device": "another"}],
    }


@given(epochs=st.lists(st.integers(1, 9), max_size=12), kept=st.integers(0, 10), torn=st.booleans())
def test_metrics_up_to_an_epoch_survive_and_a_torn_line_does_not(
    tmp_path_factory: pytest.TempPathFactory, epochs: list[int], kept: int, torn: bool
) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    for epoch in epochs:
        run.log_metrics(metric_line(epoch))
    if torn:
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"epoch": 1, "lo')
    assert [line.epoch for line in run.metrics()] == epochs
    run.truncate_metrics(kept)
    run.log_metrics(metric_line(99))
    assert [line.epoch for line in run.metrics()] == [e for e in epochs if e <= kept] + [99]


def test_predictions_are_a_line_a_clip_with_the_bytes_they_always_had(run: RunDirectory) -> None:
    rows = [
        {"id": "á", "group": "g", "label": "cat", "present": ["audio"], "log_probabilities": [-0.1, -2.3]},
        {"id": "b", "group": "g", "label": ["x", "y"], "present": [], "logits": [-1.0, 1e-06]},
        {"id": "c", "group": "g", "label": 3.0, "present": ["mine"], "values": [12.5]},
    ]
    run.write_predictions("test", [Prediction.model_validate(row, strict=False) for row in rows])
    written = (run.path / "predictions_test.jsonl").read_text(encoding="utf-8")
    assert written == "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match=r"Cannot write to the folder '.*runs.*--root"):
        RunDirectory.create(tmp_path / "runs", CONFIG, "data")


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "checkpoints/best.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_training(run: RunDirectory, name: str) -> None:
    (run.path / name).mkdir()
    with pytest.raises(InputError, match=rf"{name} is a folder, where the run is to write a file"):
        RunDirectory.create(run.path.parents[1], CONFIG, "data")


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


def test_a_result_with_the_field_as_it_was_called_before_is_read_and_still_bound(tmp_path: Path) -> None:
    found = made_result(tmp_path / "late-s0-0", RunConfig(), media_warnings={"a": ("cut short",)})
    record = json.loads(found.text())
    record["subtitle_warnings"] = record.pop("media_warnings")
    del record["seal"]
    earlier = json.dumps({**record, "seal": digest_of(record)})
    assert RunResult.model_validate_json(earlier).media_warnings == {"a": ("cut short",)}
    with pytest.raises(ValueError, match="changed after it was written"):
        RunResult.model_validate_json(earlier.replace("cut short", "cut long"))
