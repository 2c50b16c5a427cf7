"""`mmvideo contribute`: what is kept beside a run, bound to it, and read again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from made_records import reseal

from mmvideo.cli import main
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.evaluation.afterwards import CONTRIBUTION
from mmvideo.evaluation.contribution import shapley
from mmvideo.files import Damaged, locked
from mmvideo.report.contributions import measured_in
from mmvideo.runs.contribute import contribute
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute
from mmvideo.runs.finished import Finished, finished_runs


@pytest.fixture(scope="module")
def measured(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run, with its record."""
    folder = tmp_path_factory.mktemp("measured") / finished.name
    shutil.copytree(finished, folder)
    assert contribute(folder, draws=2)[1]
    return folder


@pytest.fixture
def run(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / measured.name))


def test_agrees_with_what_the_run_recorded(measured: Path) -> None:
    record, made = contribute(measured, draws=2)
    assert record is not None
    assert not made
    result = RunDirectory(measured).result()
    for pattern, scores in record.scores["absent"].items():
        assert np.mean(scores) == pytest.approx(result.test_subsets[pattern]["accuracy"])
    assert record.scores["permuted"]["visual+audio+text"] == record.scores["absent"]["visual+audio+text"]


def test_is_measured_anew_in_another_way_or_where_it_is_damaged(run: Path) -> None:
    before = (run / CONTRIBUTION).read_bytes()
    assert contribute(run, draws=1)[1]
    (run / CONTRIBUTION).write_bytes(before[: len(before) // 2])
    assert contribute(run, draws=2)[1]


def test_what_another_process_measures_is_waited_for(
    measured: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two equal commands at once measured every run twice."""
    (run / CONTRIBUTION).unlink()
    monkeypatch.setattr(Finished, "open", None)  # nothing is measured
    with ThreadPoolExecutor() as pool:
        with locked(run / CONTRIBUTION):
            second = pool.submit(contribute, run, 2)
            with pytest.raises(TimeoutError):
                second.result(timeout=1.0)
            shutil.copy(measured / CONTRIBUTION, run)
        record, made = second.result(timeout=20)
    assert record is not None
    assert not made
    assert "waiting for it" in capsys.readouterr().err


def test_is_refused_beside_another_run(run: Path) -> None:
    reseal(run, best_epoch=1, warnings=("another",))
    with pytest.raises(Damaged, match="measured of another run"):
        measured_in(run)


def test_table_of_a_run_and_what_the_command_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["contribute", str(run.parent), "--draws", "2"])  # a folder of runs, and no study
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "as it was" in told
    assert "shapley" in told
    _, table, _ = measured_in(run)
    record, _ = contribute(run, draws=2)
    assert record is not None
    means = {pattern: np.mean(scores) for pattern, scores in record.scores["permuted"].items()}
    of_audio = table.query("stand_in == 'permuted' and quantity == 'shapley' and of == 'audio'")
    assert of_audio["value"].item() == pytest.approx(float(shapley(means, record.modalities)["audio"]))
    assert (table["low"] <= table["value"] + 1e-12).all()
    assert (table["value"] <= table["high"] + 1e-12).all()


def test_a_single_modality_has_it_all(configure: Callable[..., RunConfig], tmp_path: Path) -> None:
    run = execute(configure(study="demo", arm="text", text_alone=True), root=tmp_path)
    assert contribute(run) == (None, False)
    assert not (run / CONTRIBUTION).exists()


def test_a_folder_of_runs_is_no_run(run: Path) -> None:
    with pytest.raises(InputError, match=rf"{run.parent} is no run, but .* such as {run}\."):
        RunDirectory(run.parent).result()


def test_what_holds_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Give the folder of at least one finished run or study"):
        finished_runs([])
    with pytest.raises(InputError, match="There is no folder"):
        finished_runs([tmp_path / "none"])
    with pytest.raises(InputError, match="holds no finished run"):
        finished_runs([tmp_path])
