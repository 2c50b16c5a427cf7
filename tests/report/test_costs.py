"""Costs of arms: taken or not, and the reasons for costly steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from made_records import reseal
from rich.console import Console

from mmvideo.records import open_run
from mmvideo.report import write_report
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.console import print_comparison
from mmvideo.report.load import load_study

MakeStudy = Callable[..., Path]
STEPS = {"late": 10.0, "hierarchical": 31.0, "hierarchical twin": 29.0}


def timed(study: Path, steps: Mapping[str, float]) -> Path:
    """The study, with a step's time in the results of these arms."""
    for file in study.glob("*/result.json"):
        result = open_run(file.parent)
        if result.arm in steps:
            costs = result.costs.model_copy(update={"step_ms": steps[result.arm]})
            reseal(file.parent, costs=costs, step_spent_on=f"what {result.arm} does")
    return study


def column(comparison: Comparison) -> pd.Series:
    return comparison.table.set_index("arm")["step_ms"]


def test_a_costly_step_is_shown_with_its_reason(make_study: MakeStudy, tmp_path: Path) -> None:
    comparison, _ = write_report(timed(make_study(), STEPS), tmp_path / "report")
    (note,) = comparison.cost_notes
    assert note.startswith("hierarchical: a training step takes 31.0 ms, 3.1 times that of late (10.0 ms)")
    assert note.endswith("spent on: what hierarchical does.")
    assert column(comparison)[list(STEPS)].to_dict() == STEPS
    console = Console(record=True, width=200)
    print_comparison(comparison, console)
    assert note in console.export_text()
    page = (tmp_path / "report" / "report.html").read_text()
    assert note in page
    assert "<td>31.0</td>" in page
    assert "step_ms" in (tmp_path / "report" / "summary.csv").read_text().splitlines()[0]


def test_a_fusion_without_a_reason_is_told_so(make_study: MakeStudy) -> None:
    study = timed(make_study(), STEPS)
    for file in study.glob("hierarchical*/result.json"):
        reseal(file.parent, step_spent_on="")
    (note,) = compare(load_study(study)).cost_notes
    assert "its class does not say" in note
