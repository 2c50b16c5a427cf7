"""What the page's differences may be measured against: what was tested, and what its intervals hold for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmvideo.report.charts import forest
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.comparisons import AGAINST_AVERAGING, AGAINST_NO_INPUT, BETWEEN_FUSIONS, SINGLES
from mmvideo.report.load import load_study
from mmvideo.report.references import choices, default_holds, references

MakeStudy = Callable[..., Path]


@pytest.fixture
def found(make_study: MakeStudy) -> Comparison:
    return compare(load_study(make_study(n_clips=400)))


def test_all_that_was_tested_can_be_chosen_and_nothing_else(found: Comparison) -> None:
    offered = {reference.name: reference for reference in references(found)}
    expected = {"hierarchical", "hierarchical twin", "late", "score averaging", "majority class"}
    assert list(offered) == [arm for arm in found.table["arm"] if arm in expected]
    pairs = {(pair["a"], pair["b"]): pair for pair in found.pairs.to_dict("records")}
    for name, reference in offered.items():
        for arm, (difference, low, high, _) in reference.differences.items():
            if (pair := pairs.get((arm, name))) is not None:
                assert (difference, low, high) == (pair["difference"], pair["low"], pair["high"])
            else:
                pair = pairs[name, arm]
                assert (difference, low, high) == (-pair["difference"], -pair["high"], -pair["low"])
    assert set(offered["late"].differences) == {"hierarchical", "hierarchical twin"}
    late = next(p for p in found.pairs.to_dict("records") if (p["a"], p["b"]) == ("hierarchical", "late"))
    assert late["verdict"] == "better"
    assert offered["hierarchical"].differences["late"][3] == "worse", "seen from the other side"


def test_it_says_which_family_intervals_hold_for(found: Comparison) -> None:
    holds = {reference.name: reference.holds for reference in references(found)}
    assert f"all 3 comparisons of the family “{BETWEEN_FUSIONS}” (2 shown)." in holds["late"]
    assert f"all 3 comparisons of the family “{AGAINST_AVERAGING}”." in holds["score averaging"]
    two = holds["majority class"]
    assert AGAINST_NO_INPUT in two
    assert SINGLES in two
    assert two.endswith("each family by itself.")
    assert "of one comparison by itself" in default_holds(found)


def test_of_two_fusions_one_comparison_holds_by_itself(make_study: MakeStudy, fake_arm: type) -> None:
    arms = {
        "late": fake_arm(0.7), "early": fake_arm(0.6),
        "audio": fake_arm(0.5, ("audio",), "control", "single"),
    }  # fmt: skip
    found = {r.name: r for r in references(compare(load_study(make_study(arms, n_clips=100))))}
    assert found["late"].holds == f"95 % intervals for one comparison, “{BETWEEN_FUSIONS}”."


def test_the_chart_is_drawn_from_its_own_numbers(found: Comparison) -> None:
    given = choices(found, forest.difference_title(found))
    assert given is not None
    assert given["choices"][0]["name"] == found.best_unimodal
    late = next(choice for choice in given["choices"] if choice["name"] == "late")
    of = dict(zip(given["arms"], late["values"], strict=True))
    assert of["late"] is None
    assert of["text"] is None, "single modalities are not tested against fusions"
    pair = found.pairs[(found.pairs["a"] == "hierarchical") & (found.pairs["b"] == "late")].iloc[0]
    assert of["hierarchical"][:3] == pytest.approx(
        [100 * pair[c] for c in ("difference", "low", "high")], 1e-5
    )
    assert given["verdicts"][of["hierarchical"][3]] == pair["verdict"]


def test_an_endless_interval_is_still_json(found: Comparison) -> None:
    endless = found.pairs.assign(low=-np.inf, high=np.inf)
    given = choices(replace(found, pairs=endless), "{}")
    json.dumps(given, allow_nan=False)


def test_without_a_single_modality_there_is_nothing_to_choose(make_study: MakeStudy, fake_arm: type) -> None:
    comparison = compare(load_study(make_study({"late": fake_arm(0.7), "early": fake_arm(0.6)}, n_clips=100)))
    assert choices(comparison, "{}") is None
