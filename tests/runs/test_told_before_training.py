"""Data of which little or nothing can be told, from the command line to the report."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmvideo.cli import main
from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.config import RunConfig
from mmvideo.studies.grid import GridReport
from mmvideo.studies.study import Study
from mmvideo.vocabulary import SPLITS

STUDY = """
from pathlib import Path
from planted_runs import SMALL, small_inputs
from mmvideo.components import FusionChoice
from mmvideo.config import DataConfig, RunConfig, TrainConfig
from mmvideo.studies.study import Arm, Study

HERE = Path(__file__).parent
INPUTS = {name: given for name, given in small_inputs().items() if name != "visual"}

def study() -> Study:
    config = RunConfig(**SMALL | {
        "inputs": INPUTS, "fusion": FusionChoice.of("late"), "train": TrainConfig(epochs=1),
        "data": DataConfig(manifest=str(HERE / "m.jsonl"), store=str(HERE / "store")),
    })
    alone = config.model_copy(update={"modalities": ("text",), "fusion": FusionChoice.of("single")})
    arms = (Arm("late", config), Arm("text", alone, role="control"))
    return Study("demo", "Demo", arms, ("fusion", "modalities"), (0,))
"""


def write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study of two arms, whose runs are trained in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.py").write_text(STUDY)
    (tmp_path / "said.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nhello there\n")

    def grid(
        study: Study,
        run_one: Callable[[RunConfig], bool],
        *,
        root: Path,
        data_fingerprint: str,
        workers: None,
        refused: object,
        engine: object,
    ) -> GridReport:
        trained = sum(run_one(config) for config in study.runs())
        return GridReport(study.write(root, data_fingerprint), 0, trained, ())

    monkeypatch.setattr("mmvideo.cli.ablate.run_grid", grid)
    monkeypatch.setattr("mmvideo.report.figures.write_figures", lambda comparison, folder: None)
    return tmp_path


def clips(split: str, count: int, **more: str) -> list[Clip]:
    """Clips of two classes in turn, each a group, of words and silence; `more` fields of each."""
    files = {"audio": "silent.wav", "subtitles": "said.srt"}
    return [
        Clip(
            **{"id": f"{split}{i}", "label": "ab"[i % 2], "group": f"{split}{i}", "split": split}
            | files
            | more
        )
        for i in range(count)
    ]


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_silence_and_a_single_test_group_are_told_before_and_after(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, split in enumerate(SPLITS):  # not copies of one file: that is an error of its own
        write_wav(here / f"{split}.wav", np.zeros(4000 + place))
    rows = [*clips("train", 6, audio="train.wav"), *clips("val", 2, audio="val.wav")]
    rows += clips("test", 4, audio="test.wav", group="actor <7>")
    write_manifest(here / "m.jsonl", rows)
    assert call("ablate", "study.py") == 0
    silent = (
        "audio is digital silence in 12 of the 12 clips that have it (train 6 of 6, val 2 of 2, test 4 of 4)"
    )
    group = "All 4 test clips are of one group (actor <7>): intervals are over clips"
    before = told(capsys)
    assert silent in before
    assert group in before
    record = json.loads((here / "reports" / "demo" / "comparison.json").read_text())
    assert (record["n_clips"], record["n_groups"]) == (4, 1)
    assert record["intervals_over"] == "clips, which are all of one group"
    assert any(silent in note for note in record["notes"])
    assert "groups: all test clips are of one" in " ".join(record["qualified_by"])
    assert all(0 <= arm["low"] < arm["high"] <= 1 for arm in record["arms"])
    page = (here / "reports" / "demo" / "report.html").read_text()
    assert "of one group (actor &lt;7&gt;)" in page
    assert (
        "<td>test</td><td>4</td><td>1</td><td>2</td><td>0</td><td>4</td><td>4</td><td>4</td><td>0</td>"
        in page
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": clips("test", 1)}, "one test clip can be read, and of one no interval can be given"),
        ({s: clips(s, 4, label="a") for s in SPLITS}, "all 12 clips have the label 'a'"),
        ({"val": clips("val", 2, label="c")}, "stand in val or test and not in train: c"),
        (
            {"test": clips("test", 4, subtitles="none.srt")},
            "None of the 4 readable clips of the test split has",
        ),
    ],
)
def test_what_can_end_in_no_table_is_refused_before_training(
    here: Path, capsys: pytest.CaptureFixture[str], change: dict[str, list[Clip]], message: str
) -> None:
    (here / "none.srt").write_text("")
    splits = {split: clips(split, 4) for split in SPLITS} | change
    rows = [clip.model_copy(update={"audio": None}) for members in splits.values() for clip in members]
    write_manifest(here / "m.jsonl", rows)
    assert call("ablate", "study.py") == 2
    assert message in told(capsys)
    assert not list(here.glob("runs/demo/*/metrics.jsonl"))
