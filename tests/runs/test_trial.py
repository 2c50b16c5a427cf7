"""A trial of a tuned comparison: trained and validated as a run is, and blind to the test split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.cli import main
from mmvideo.config import RunConfig, TrainConfig
from mmvideo.data.opened import open_data
from mmvideo.errors import InputError, TrainingError
from mmvideo.runs.execute import execute
from mmvideo.runs.trial import run_trial
from mmvideo.runs.trial_directory import TrialDirectory
from mmvideo.store.object_store import object_path

Configure = Callable[..., RunConfig]
STUDY = """
from mmvideo.studies.base import study_base
from mmvideo.studies.study import Arm, Study

def study() -> Study:
    config = study_base("base.json", beside=__file__).config
    return Study("mine", "Mine", (Arm("text", config),), ("width",), (0,))
"""


@pytest.fixture
def unreadable(configure: Configure, tmp_path: Path) -> RunConfig:
    """A run on data of which every stored test clip is cut short, once they are opened."""
    config = configure(text_alone=True)
    open_data(config)
    copied = tmp_path / "store"
    shutil.copytree(config.data.store, copied)
    data = config.data.model_copy(update={"store": str(copied)})
    source = open_data(config.model_copy(update={"data": data}))
    for clip in source.manifest.split("test"):
        object_path(copied, source.keys[clip.id]).write_bytes(b"")
    return config.model_copy(update={"data": data})


def test_the_test_split_is_never_read(unreadable: RunConfig, tmp_path: Path) -> None:
    assert run_trial(unreadable, root=tmp_path)
    [folder] = (tmp_path / "train").iterdir()
    assert not list(folder.glob("predictions*"))
    with pytest.raises(InputError):
        execute(unreadable, root=tmp_path / "runs")


def test_nor_by_a_trial_of_an_exported_sweep(
    unreadable: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.json").write_text(unreadable.model_dump_json())
    (tmp_path / "mine.py").write_text(STUDY)
    setting = ("train.learning_rate=0.01", "width=8")
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "mine.py", "--arm", "text", "--try", *setting])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["setting"] == {"train.learning_rate": 0.01, "width": 8}
    assert told["val"].keys() == {"accuracy", "loss"}
    [folder] = (tmp_path / "runs" / "mine" / "trials").iterdir()
    assert not list(folder.glob("predictions*"))


def test_what_a_trial_opens_has_no_test_clips(configure: Configure) -> None:
    source = open_data(configure(text_alone=True))
    blind = source.without_test()
    tested = {clip.id for clip in source.manifest.split("test")}
    assert len(tested) == 16
    assert not tested & blind.keys.keys()
    assert {clip.split for clip in (*blind.manifest.clips, *blind.listed.clips)} == {"train", "val"}
    assert source.without_test() is blind, "so that trials of one process share it"


def test_its_score_is_that_of_the_run_it_stands_for(configure: Configure, tmp_path: Path) -> None:
    config = configure(text_alone=True)
    assert run_trial(config, root=tmp_path / "trials")
    assert not run_trial(config, root=tmp_path / "trials"), "it is there"
    [folder] = (tmp_path / "trials" / "train").iterdir()
    trial = TrialDirectory(folder).result()
    run = execute(config, root=tmp_path / "runs")
    whole = TrialDirectory(run)
    assert folder.name == run.name, "of the same signature"
    losses = {line.epoch: line.loss for line in whole.metrics() if line.split == "val"}
    assert trial.val["loss"] == losses[trial.best_epoch]
    assert not (folder / "checkpoints").exists()


def test_training_that_fails_is_recorded_and_not_tried_again(configure: Configure, tmp_path: Path) -> None:
    config = configure(text_alone=True, train=TrainConfig(epochs=2, batch_size=16, learning_rate=1e30))
    written = []
    for _ in range(2):
        with pytest.raises(TrainingError, match="The loss is nan"):
            run_trial(config, root=tmp_path)
        [folder] = (tmp_path / "train").iterdir()
        written.append((folder / "trial.json").stat().st_mtime_ns)
    assert written[0] == written[1]
    assert "The loss is nan" in (TrialDirectory(folder).result().reason or "")


def test_a_trial_whose_metrics_were_changed_is_refused(configure: Configure, tmp_path: Path) -> None:
    config = configure(text_alone=True)
    run_trial(config, root=tmp_path)
    [metrics] = (tmp_path / "train").glob("*/metrics.jsonl")
    metrics.write_text(metrics.read_text().replace('"epoch": 1', '"epoch": 3', 1))
    with pytest.raises(InputError, match="is not the file that this run's result was made with"):
        run_trial(config, root=tmp_path)
