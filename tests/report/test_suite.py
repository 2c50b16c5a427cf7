"""Strategies against known limits, over several studies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_records import reseal

from mmvideo.errors import InputError
from mmvideo.evaluation.statistics import ArmInterval
from mmvideo.report.suite import OPEN, REACHES, SHORT, equivalence, suite_table, write_suite

MakeStudy = Callable[..., Path]


def interval(low: float, high: float) -> ArmInterval:
    return ArmInterval((low + high) / 2, low, high, 0.01, 5, 800, 100, False)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.92, 0.95, REACHES),
        (0.91, 0.95, REACHES),
        (0.90, 0.95, OPEN),
        (0.80, 0.90, SHORT),
        (0.5, 0.94, OPEN),
    ],
)
def test_equivalence_within_three_points_of_a_limit(low: float, high: float, word: str) -> None:
    assert equivalence(interval(low, high), limit=0.94, margin=0.03) == word


def test_a_row_for_each_task_and_arm(make_study: MakeStudy, fake_arm: type) -> None:
    """The limit is 0.87, that of additive rules 0.66 (converged) and 0.72 (best)."""
    arms = {
        "hierarchical": fake_arm(0.865, seed_noise=0.001),
        "late": fake_arm(0.79, fusion="late", seed_noise=0.001),
        "late_sum": fake_arm(0.66, fusion="late_sum", seed_noise=0.001),
    }
    table = suite_table([make_study(arms, n_clips=6000)]).set_index("arm")
    assert table["task"].unique().tolist() == ["mixed"]
    assert table["verdict"].to_dict() == {"hierarchical": REACHES, "late": SHORT, "late_sum": SHORT}
    interaction = {
        "hierarchical": "beyond additive",
        "late": "beyond additive",
        "late_sum": "at the additive limit",
    }
    assert table["interaction"].to_dict() == interaction
    # the curve 0.25 + 0.615 (1 - exp(-epoch / 3)) passes 0.84 in epoch 10: 50 steps and 3.1 s an epoch
    assert table.loc["hierarchical", "steps_to_limit"] == 500
    assert table.loc["hierarchical", "seconds_to_limit"] == pytest.approx(31)
    assert np.isnan(table.loc["late", "steps_to_limit"]), "it never comes near"


def test_a_second_study_of_a_task_tells_slow_arms_from_arms_that_cannot(
    make_study: MakeStudy, fake_arm: type, tmp_path: Path
) -> None:
    short = {
        "early": fake_arm(0.7, fusion="early", seed_noise=0.001),
        "late_sum": fake_arm(0.66, fusion="late_sum", seed_noise=0.001),
    }
    first = make_study(short, n_clips=6000).rename(tmp_path / "first")
    longer = {**short, "early": fake_arm(0.865, fusion="early", seed_noise=0.001)}
    second = make_study(longer, n_clips=6000).rename(tmp_path / "second")
    for file in second.glob("*/metrics.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps({**line, "step": 5 * line["step"]}) + "\n" for line in lines))
        reseal(file.parent)
    table = write_suite([first, second], tmp_path / "out")
    verdicts = {(row.arm, row.steps): row.verdict for row in table.itertuples()}
    budget = min(table["steps"])
    assert verdicts == {
        ("early", budget): SHORT,
        ("early", 5 * budget): REACHES,
        ("late_sum", budget): SHORT,
        ("late_sum", 5 * budget): SHORT,
    }


def test_it_is_written_as_table_and_figures(make_study: MakeStudy, tmp_path: Path) -> None:
    write_suite([make_study()], tmp_path / "out")
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"suite.csv", "suite.png", "learning.png"}


def test_a_study_without_known_limits_is_refused(make_study: MakeStudy) -> None:
    with pytest.raises(InputError, match="limits are not known; a suite takes planted tasks only"):
        suite_table([make_study(limits=None)])
