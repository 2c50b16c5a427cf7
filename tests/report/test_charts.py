"""What the charts draw: one definition for page and files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmvideo.report.charts import confusion, cost, forest, learning_curves
from mmvideo.report.charts.roles import ROLES, roles, spread
from mmvideo.report.charts.theme import light_colours, on_white, specification
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.figures import write_chart
from mmvideo.report.load import load_study

MakeStudy = Callable[..., Path]


@pytest.fixture
def found(make_study: MakeStudy) -> Comparison:
    return compare(load_study(make_study(n_clips=100)))


def rows(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for values in drawn["datasets"].values() for row in values]


def parts(drawn: Any) -> list[dict[str, Any]]:
    """Every dictionary in a specification."""
    if isinstance(drawn, list):
        return [part for inner in drawn for part in parts(inner)]
    if isinstance(drawn, dict):
        return [drawn, *(part for inner in drawn.values() for part in parts(inner))]
    return []


def test_colours_are_the_pages_own_and_files_get_the_light_ones(found: Comparison) -> None:
    for module in (forest, learning_curves, cost):
        drawn = specification(module.chart(found))
        text = json.dumps(drawn)
        assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= light_colours().keys()
        assert "#" not in text
        assert "var(" not in json.dumps(on_white(drawn))


def test_the_forest_plot_has_every_row_with_its_intervals(found: Comparison) -> None:
    values = {row["arm"]: row for row in rows(specification(forest.chart(found))) if "score" in row}
    table = found.table.set_index("arm")
    assert list(values) == list(table.index)
    for arm, row in values.items():
        assert row["score_low"] == pytest.approx(100 * table.loc[arm, "low"], rel=1e-5, abs=1e-9)
        assert row["role"] == ROLES[roles(found)[arm]]
    assert "difference" not in values[found.best_unimodal or ""], "it is what the others are compared with"


def test_limits_are_drawn_where_they_are_known(found: Comparison) -> None:
    limits = forest.limit_lines(found.study.limits)
    assert limits == {"Bayes accuracy": 0.87, "additive bound": 0.72}
    assert {row["what"] for row in rows(specification(forest.chart(found))) if "what" in row} == set(limits)


def test_a_curve_of_one_epoch_is_a_point(found: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines() -> list[dict[str, Any]]:
        marks = [
            part["mark"] for part in parts(specification(learning_curves.chart(found))) if "mark" in part
        ]
        return [mark for mark in marks if mark["type"] == "line"]

    assert not any(line["point"] for line in lines())
    kind = type(found.study.arms[0])
    whole = kind.validation_curve
    monkeypatch.setattr(kind, "validation_curve", lambda arm: whole(arm).head(1))
    assert all(line["point"] for line in lines())


def test_confusions_are_shares_of_each_label(found: Comparison) -> None:
    cells = rows(specification(confusion.chart(found, ["late"])))
    for label in found.study.clips.classes:
        assert sum(cell["share"] for cell in cells if cell["label"] == label) == pytest.approx(100, abs=1e-3)


def test_labels_keep_their_order_and_their_distance() -> None:
    placed = spread([5.0, 1.0, 1.1, 1.2], 1.0)
    assert placed[0] == 5.0
    assert placed[1] < placed[2] < placed[3]
    assert placed[2] - placed[1] == pytest.approx(1, abs=0.01)


def test_the_same_chart_gives_the_same_bytes(found: Comparison, tmp_path: Path) -> None:
    drawn = cost.chart(found)
    [first], [second] = (write_chart(drawn, tmp_path / name, ends=("pdf",)) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"%PDF")
