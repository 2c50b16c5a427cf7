"""Around the training: what a run does when it cannot go on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmvideo.config import NamedConfig, RunConfig, RuntimeConfig
from mmvideo.runs import execute as execution
from mmvideo.runs.directory import RunDirectory

CONFIG = RunConfig(
    modalities=("audio",), fusion=NamedConfig(name="single"), runtime=RuntimeConfig(device="cpu")
)
DATA: Any = SimpleNamespace(
    fingerprint="data",
    manifest=SimpleNamespace(classes=("cat", "dog")),
    make_tokenizer=lambda config: None,
    dataset=lambda *given, **options: [],
)


@pytest.mark.parametrize("trouble", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_run_that_stops_ends_its_mirror_as_failed(
    trouble: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    tracker = SimpleNamespace(fail=lambda: calls.append("fail"), finish=lambda result: calls.append("finish"))

    def stop(*given: Any, **options: Any) -> None:
        raise trouble

    monkeypatch.setattr(execution, "open_data", lambda config: DATA)
    monkeypatch.setattr(execution, "open_tracker", lambda *given: tracker)
    monkeypatch.setattr(execution, "fit", stop)
    with pytest.raises(type(trouble)):
        execution.execute(CONFIG, root=tmp_path)
    assert calls == ["fail"]
    [path] = (tmp_path / CONFIG.study).glob("run-s0-*")
    assert not RunDirectory(path).finished
