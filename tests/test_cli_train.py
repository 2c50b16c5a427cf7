"""What `mmvideo train` says beside a run's numbers: what a study's report would say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_records import made_result

from mmvideo.cli.train import _notes
from mmvideo.config import RunConfig, TrainConfig


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"best_epoch": 2, "epochs": 3}, []),
        ({"best_epoch": 3, "epochs": 3}, ["the last epoch that was run", "epoch 3 of 3"]),
        ({"best_epoch": 1, "epochs": 3}, ["the first epoch", "epoch 1 of 3"]),
        (
            {"failed_clips": {"a": "no video stream", "b": "cut short"}},
            ["be decoded: 2. a (no video stream), b"],
        ),
        (
            {"media_warnings": {"a": ("a cue without an end", "1.2 s of silence were filled in")}},
            ["not read in full or as expected: 1. a (a cue without an end; 1.2 s of silence were filled in)"],
        ),
        ({"warnings": ("3 of the 8 val clips are known",)}, ["3 of the 8 val clips are known."]),
    ],
)
def test_a_run_is_told_of_as_a_study_is(found: dict[str, Any], told: list[str], tmp_path: Path) -> None:
    result = made_result(tmp_path / "run", RunConfig(), **{"best_epoch": 2, "epochs": 3} | found)
    notes = list(_notes(result))
    assert len(notes) == (1 if told else 0)
    assert all(part in notes[0] for part in told)


def test_the_last_epoch_that_was_asked_for_is_none_to_tell_of(tmp_path: Path) -> None:
    config = RunConfig(train=TrainConfig(select="last"))
    assert list(_notes(made_result(tmp_path / "run", config, best_epoch=3, epochs=3))) == []
