from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_records import reseal

from mmvideo.errors import InputError
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.comparisons import (
    AGAINST_AVERAGING,
    AGAINST_NO_INPUT,
    AGAINST_UNIMODAL,
    BETWEEN_FUSIONS,
    SINGLES,
)
from mmvideo.report.load import load_study

MakeStudy = Callable[..., Path]


@pytest.fixture
def comparison(make_study: MakeStudy) -> Comparison:
    return compare(load_study(make_study(n_clips=400)))


def row(comparison: Comparison, name: str) -> pd.Series:
    return comparison.table[comparison.table["arm"] == name].iloc[0]


def pair(comparison: Comparison, a: str, b: str) -> pd.Series:
    pairs = comparison.pairs
    return pairs[(pairs["a"] == a) & (pairs["b"] == b)].iloc[0]


def test_every_arm_and_control_has_a_row(comparison: Comparison) -> None:
    kinds = comparison.table.groupby("kind")["arm"].agg(set)
    assert kinds["fusion"] == {"hierarchical", "hierarchical twin", "late"}
    assert kinds["single modality"] == {"visual", "audio", "text"}
    assert kinds["no training"] == {"score averaging", "majority class", "missingness baseline"}
    assert comparison.notes == ()


def test_a_real_gain_is_better_and_none_is_undecided(comparison: Comparison) -> None:
    assert comparison.best_unimodal == "text"
    assert row(comparison, "hierarchical")["verdict"] == "better"
    assert pair(comparison, "hierarchical", "late")["verdict"] == "better"
    same = pair(comparison, "hierarchical", "hierarchical twin")
    assert same["verdict"].startswith("undecided (needs ")
    assert same["low"] < 0 < same["high"]


def test_the_truth_lies_in_the_intervals(comparison: Comparison) -> None:
    for name, truth in (("hierarchical", 0.80), ("late", 0.62), ("text", 0.50)):
        assert row(comparison, name)["low"] < truth < row(comparison, name)["high"]
    against = row(comparison, "hierarchical")
    assert against["difference_low"] < 0.30 < against["difference_high"]


def test_the_reference_is_chosen_on_validation_not_on_test(make_study: MakeStudy) -> None:
    folder = make_study(n_clips=400)
    for file in folder.glob("audio-s*/result.json"):
        reseal(file.parent, val={"accuracy": 0.9})
    found = compare(load_study(folder))
    assert found.best_unimodal == "audio"
    assert row(found, "audio")["verdict"] == "reference"
    assert row(found, "text")["accuracy"] > row(found, "audio")["accuracy"]


def test_each_family_holds_together_on_its_own(comparison: Comparison) -> None:
    sizes = comparison.pairs["family"].value_counts().to_dict()
    families = (AGAINST_UNIMODAL, AGAINST_AVERAGING, AGAINST_NO_INPUT, SINGLES, BETWEEN_FUSIONS)
    assert sizes == dict.fromkeys(families, 3)
    for _, family in comparison.pairs.groupby("family"):
        by_p = family.sort_values("p")
        assert by_p["adjusted_p"].is_monotonic_increasing
        assert (family["adjusted_p"] >= family["p"]).all()
        assert (family["adjusted_p"] <= 3 * family["p"]).all()
        decided = (family["low"] > 0) | (family["high"] < 0)
        assert (decided == (family["adjusted_p"] < 0.05)).all()
        assert (decided == family["verdict"].isin(["better", "worse"])).all()


def test_ranks_are_what_the_verdicts_leave_open(comparison: Comparison) -> None:
    ranks = comparison.table.set_index("arm")[["rank_best", "rank_worst"]]
    assert list(ranks.loc["late"]) == [3, 3]
    assert list(ranks.loc["hierarchical"]) == [1, 2]
    assert ranks.loc["text"].isna().all()
    assert dict(comparison.answer.points)["among the fusions"].startswith("rank 1–2 of 3; better than late")


def test_a_wide_margin_makes_twins_equivalent(make_study: MakeStudy) -> None:
    found = compare(load_study(make_study(n_clips=400)), margin=0.3)
    twins = pair(found, "hierarchical", "hierarchical twin")
    assert twins["verdict"] == "equivalent within 30.0 points"
    assert found.record().margin == twins["margin"] == 0.3
    assert pair(found, "hierarchical", "late")["verdict"] == "better"
    with pytest.raises(InputError, match="above 0"):
        compare(found.study, margin=0.0)


def test_what_would_narrow_the_interval_is_told(comparison: Comparison) -> None:
    test = pair(comparison, "hierarchical", "text")
    assert test["half_width"] == pytest.approx((test["high"] - test["low"]) / 2)
    assert test["half_width_twice_clips"] < test["half_width"] < test["detectable"]
    assert set(comparison.variance["what"]) >= {"hierarchical", "text", "late − text"}
    assert "this design" in dict(comparison.answer.points)


def test_no_difference_is_named_that_there_cannot_be(make_study: MakeStudy) -> None:
    """Of three groups and two seeds it said to find a difference of 300 points of accuracy."""
    found = compare(load_study(make_study(n_clips=15, seeds=(0, 1))))
    assert found.pairs["detectable"].isna().any()
    halves = ["half_width", "half_width_twice_seeds", "half_width_twice_clips"]
    for table in (found.pairs[["detectable", *halves]], found.variance[halves]):
        assert not (table > 1).any(axis=None)
    told = dict(found.answer.points)["this design"]
    assert told.startswith("finds no difference, however large, to ")
    assert re.search(r"with power 0\.8; half its interval, \d\d\.\d, would be", told)


def test_limits_costs_and_permutation_are_carried(comparison: Comparison) -> None:
    assert row(comparison, "late")["bayes_accuracy"] == 0.87
    assert row(comparison, "text")["bayes_accuracy"] == 0.52
    assert row(comparison, "hierarchical")["permuted_accuracy"] == 0.3
    assert pd.isna(row(comparison, "text")["permuted_accuracy"])
    assert row(comparison, "score averaging")["parameters"] == 300_000
    assert row(comparison, "score averaging")["train_seconds"] == 3 * 37
    assert set(comparison.limits["accuracy"]) == {0.87, 0.5, 0.48, 0.52, 0.66, 0.72}


def test_confusion_rows_are_shares(comparison: Comparison) -> None:
    matrix = comparison.confusion["hierarchical"]
    assert matrix.sum(axis=1) == pytest.approx([1] * 4)
    assert matrix.diagonal().mean() == pytest.approx(row(comparison, "hierarchical")["balanced_accuracy"])


def test_the_answer_says_what_the_verdicts_say(make_study: MakeStudy, fake_arm: type) -> None:
    alone = {name: fake_arm(0.5, (name,), "control", "single") for name in ("visual", "text")}
    pair_of = ("visual", "text")
    good = compare(load_study(make_study({"good": fake_arm(0.8, pair_of), **alone})))
    points = dict(good.answer.points)
    assert points[f"against {good.best_unimodal}"].startswith("better by ")
    assert "n = 300 clips in 60 groups, 3 seeds" in points["good"]
    assert points["holds for"].startswith("this data set")


def test_a_worse_fusion_is_said_to_be_worse(make_study: MakeStudy, fake_arm: type) -> None:
    alone = {name: fake_arm(0.75, (name,), "control", "single") for name in ("visual", "text")}
    found = compare(load_study(make_study({"bad": fake_arm(0.4, ("visual", "text")), **alone})))
    assert row(found, "bad")["verdict"] == "worse"
    assert "bad is worse than the best single modality" in found.answer.sentence


def test_one_seed_claims_nothing(make_study: MakeStudy) -> None:
    found = compare(load_study(make_study(seeds=(0,))))
    assert set(found.pairs["verdict"]) == {"no verdict (one seed)"}
    said = "\n".join([found.answer.sentence, *found.answer.lines])
    assert said.startswith("A single seed gives no verdict; on these clips hierarchical twin is ahead of")
    assert "\nagainst text: +" in said
    assert not re.search("needs|undecided|underfit|better by|worse by", said)
    assert found.table["low"].notna().all()


def test_what_is_missing_is_said(make_study: MakeStudy, fake_arm: type) -> None:
    arms = {"hierarchical": fake_arm(0.8), "late": fake_arm(0.6, fusion="late")}
    found = compare(load_study(make_study(arms, limits=None, skip=("late-s1",))))
    assert found.notes[0].startswith("1 of 6 runs missing: late-s1.")
    assert any("No score averaging" in note for note in found.notes)
    assert any("no single-modality arm" in note for note in found.notes)
    assert found.limits.empty
    assert found.best_unimodal is None


def test_the_record_is_plain_json(comparison: Comparison) -> None:
    record: dict[str, Any] = json.loads(comparison.record().text(), parse_constant=pytest.fail)
    assert record["n_clips"] == 400
    assert record["n_groups"] == 80
    names = [arm["arm"] for arm in record["arms"]]
    assert record["arms"][names.index("majority class")]["parameters"] is None
