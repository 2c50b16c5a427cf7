"""The ready-made views on W&B, made without a network: their numbers are our record's."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from mmvideo.cli import main
from mmvideo.files import write_whole
from mmvideo.runs import tracking
from mmvideo.runs.wandb_views import report_of, text, workspace_of
from mmvideo.study_records import ComparisonRecord

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")

ARM = {
    "arm": "la|te", "kind": "fusion", "modalities": "visual+audio", "n_seeds": 2, "accuracy": 0.9, "low": 0.8,
    "high": 0.95, "difference": 0.1, "difference_low": 0.02, "difference_high": 0.2, "adjusted_p": 1e-5,
    "verdict": "better",
}  # fmt: skip
BARE = dict.fromkeys(ARM) | {
    "arm": "majority class",
    "kind": "no training",
    "modalities": "",
    "accuracy": 0.25,
}
RECORD = ComparisonRecord(
    mmvideo="1", study="grid's", title="A study", axes=("fusion",), seeds=(0, 1), n_clips=40, n_groups=8,
    intervals_over="groups of clips", task="single_label", answer="la|te gains <b>10 points</b>.",
    best_unimodal="visual", leader="la|te", arms=(ARM, BARE), pairs=(), limits=(), missing_runs=(),
    notes=("a note",), cost_notes=(), failed_clips={},
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX, "a connection was asked for"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", os.devnull)


def panels(part: Any, kind: str) -> list[dict[str, Any]]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part] if isinstance(part, dict) and part.get("viewType") == kind else []
    return own + [found for one in inner for found in panels(one, kind)]


def test_the_reports_table_is_the_records() -> None:
    made = report_of(RECORD, "project", "me", [])._to_model().model_dump(mode="json", by_alias=True)
    [block] = [block for block in made["spec"]["blocks"] if block["type"] == "markdown-block"]
    assert block["content"] == text(RECORD)
    lines = block["content"].splitlines()
    assert r"la\|te gains \<b\>10 points\</b\>." in lines
    assert r"| la\|te | fusion | 2 | 90.0 \[80.0, 95.0\] | +10.0 \[2.0, 20.0\] | \< 0.001 | better |" in lines
    assert r"| majority class | no training | – | 25.0 \[–, –\] | – | – |  |" in lines
    [grid] = [block for block in made["spec"]["blocks"] if block["type"] == "panel-grid"]
    [runs] = grid["metadata"]["runSets"]
    assert runs["grouping"] == [{"section": "config", "name": "arm.value"}]
    assert [(f["key"]["name"], f["value"]) for f in runs["filters"]["filters"]] == [("study", "grid's")]


def test_the_workspace_groups_the_studys_runs_by_arm() -> None:
    made = workspace_of(RECORD, "project", "me", ["val/gates_visual"])._to_model()
    content = json.loads(made.model_dump_json(by_alias=True))
    [runs] = content["spec"]["section"]["runSets"]
    assert runs["grouping"] == [{"section": "config", "name": "arm.value"}]
    curves = panels(content, "Run History Line Plot")
    assert {panel["config"]["metrics"][0] for panel in curves} == {
        "val/accuracy", "val/loss", "train/loss", "val/accuracy_only_visual", "val/accuracy_only_audio",
        "val/gates_visual",
    }  # fmt: skip
    for panel in curves:
        grouped = [panel["config"][key] for key in ("groupBy", "groupAgg", "groupArea")]
        assert grouped == ["arm.value", "mean", "stddev"]
    assert panels(content, "Media Browser")[0]["config"]["mediaKeys"] == ["report"]


@pytest.fixture
def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study and its report."""
    monkeypatch.chdir(tmp_path)
    line = {"epoch": 1, "step": 1, "loss": 1.0, "seconds": 1.0, "training_seconds": 1.0, "accuracy": 0.5}
    lines = [
        line | {"split": "train", "norm": 1.0},
        line | {"split": "val", "accuracy_only_audio": 0.5, "gates_audio": 0.2},
    ]
    write_whole(tmp_path / "runs/grid/a-s0-0/metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    write_whole(tmp_path / "reports/grid/comparison.json", RECORD.text())
    return tmp_path


def test_without_a_key_it_says_what_to_do(reported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--wandb"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "nothing was sent" in said
    assert "`wandb login`" in said


def test_with_a_key_each_study_gets_both_views(
    reported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published: list[tuple[Any, ...]] = []

    def publish(*given: Any) -> tuple[str, str]:
        published.append(given)
        return "https://workspace", "https://report"

    monkeypatch.setattr(tracking, "view_account", lambda entity: ("me", True))
    monkeypatch.setattr("mmvideo.runs.wandb_views.publish", publish)
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--wandb"])
    assert ended.value.code == 0
    [(record, *rest)] = published
    assert (record.answer, rest) == (RECORD.answer, ["mmvideo", "me", ["val/gates_audio"]])
    assert "https://report" in capsys.readouterr().out


def test_a_folder_without_reports_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["dashboard", "--wandb"])
    assert ended.value.code == 2
