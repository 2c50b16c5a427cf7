"""Where the chosen epoch stands in training: told where it is the first or the last one, and drawn."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import reseal
from rich.console import Console

from mmvideo.report.charts import learning_curves
from mmvideo.report.charts.theme import specification
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study

Choose = Callable[[str], Comparison]
CHOSEN = {"late-s0": 12, "late-s1": 12, "late-s2": 1}
"""Of twelve epochs; all other runs were chosen at the ninth."""


@pytest.fixture
def choose(make_study: Callable[..., Path], arms: dict[str, Any]) -> Choose:
    """A comparison of runs that were trained with the given `train.select`."""

    def made(select: str) -> Comparison:
        config = {"train": {"select": select}}
        kept = {name: dataclasses.replace(arms[name], config=config) for name in ("late", "visual")}
        folder = make_study(kept, limits=None, n_clips=60)
        for run, epoch in CHOSEN.items():
            reseal(folder / f"{run}-0123456789", best_epoch=epoch)
        return compare(load_study(folder))

    return made


@pytest.mark.parametrize("select", ["score", "loss"])
def test_it_is_told_for_how_many_runs_of_each_arm(choose: Choose, select: str) -> None:
    found = choose(select)
    last, first = (note for note in found.notes if "Validation chose" in note)
    assert "the last epoch that was run" in last
    assert last.endswith(": late (2 of 3 runs).")
    assert "the first epoch" in first
    assert first.endswith(": late (1 of 3 runs).")
    late = found.table.set_index("arm").loc["late"]
    assert (late["chosen_first"], late["chosen_last"], late["epochs"]) == (1, 2, 12)
    console = Console(file=io.StringIO(), width=140)
    print_comparison(found, console)
    assert isinstance(console.file, io.StringIO)
    assert "8.33 of 12 (first: 1, last: 2)" in console.file.getvalue()
    assert "9 of 12" in console.file.getvalue()


def test_who_asks_for_the_last_epoch_is_not_warned_of_it(choose: Choose) -> None:
    assert not any("Validation chose" in note for note in choose("last").notes)


def test_curves_mark_the_epoch_of_each_run(choose: Choose) -> None:
    found = choose("score")
    drawn = specification(learning_curves.chart(found))["datasets"].values()
    marks = [row for rows in drawn for row in rows if row["arm"] == "late" and "chosen" in row]
    assert [mark["epoch"] for mark in marks] == list(CHOSEN.values())
    curve = found.study.arms[0].runs[2].curve
    chosen = curve[(curve["split"] == "val") & (curve["epoch"] == 1)]["accuracy"].item()
    assert marks[2]["chosen"] == pytest.approx(100 * chosen, rel=1e-5)
