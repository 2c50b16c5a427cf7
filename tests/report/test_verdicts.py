"""What the answer says of simulated studies in which it is known what explains fusion's gain."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mmvideo.report.compare import Comparison, compare
from mmvideo.report.comparisons import AGAINST_NO_INPUT, AGAINST_PRESENCE, AGAINST_UNIMODAL, SINGLES
from mmvideo.report.console import print_comparison
from mmvideo.report.controls import MISSINGNESS, WITH_MISSINGNESS, with_missingness
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.runs import StudyRuns
from mmvideo.studies.loading import load_module

SIMULATION = load_module(str(Path(__file__).parents[2] / "experiments" / "verdict_errors.py"))
SCENARIOS, simulated = SIMULATION.SCENARIOS, SIMULATION.simulated


def claim(comparison: Comparison) -> str:
    """The answer's sentence without its number."""
    return comparison.answer.sentence.rpartition("; ")[0]


def points(comparison: Comparison) -> dict[str, str]:
    return dict(comparison.answer.points)


def row(comparison: Comparison, name: str) -> pd.Series:
    return comparison.table[comparison.table["arm"] == name].iloc[0]


@pytest.fixture(scope="module")
def telling() -> Comparison:
    """Which modalities a clip has tells its label, and what they hold does not."""
    return compare(simulated(SCENARIOS["presence"], 1))


def test_where_presence_tells_the_label_fusion_adds_nothing(telling: Comparison) -> None:
    assert row(telling, "late")["verdict"] == "better", "than a single modality it is"
    assert claim(telling) == (
        "Fusion adds nothing that could be shown: late was not shown to beat the missingness baseline"
    )
    found = telling.pairs[telling.pairs["family"] == AGAINST_PRESENCE].iloc[0]
    assert found["b"] == MISSINGNESS
    assert found["verdict"].startswith("undecided")
    assert "undecided" in points(telling)["against missingness baseline"]
    assert points(telling)["against majority class"].startswith("better by ")


def test_a_reference_below_presence_is_said_to_be_where_it_is_named(telling: Comparison) -> None:
    best = telling.best_unimodal
    assert row(telling, str(best))["accuracy"] < row(telling, MISSINGNESS)["accuracy"]
    said = points(telling)[f"against {best}"]
    assert re.search(r"the best single modality on validation, but with [\d.]+ % on test not as", said)
    assert MISSINGNESS in said


@pytest.mark.parametrize("scenario", ["presence beside content", "overconfident"])
def test_a_gain_that_presence_explains_is_no_gain_of_fusion(scenario: str) -> None:
    found = compare(simulated(SCENARIOS[scenario], 0))
    assert row(found, "late")["verdict"] == "better"
    tests = found.pairs.set_index("family")["verdict"]
    assert tests[AGAINST_PRESENCE] == "better", "missingness is not all it knows"
    assert claim(found) == (
        "Fusion adds nothing that could be shown beyond missingness: late beats the best single modality "
        "(visual), but not that modality with what missingness tells"
    )


def test_what_score_averaging_reaches_too_is_no_gain_of_joint_training() -> None:
    found = compare(simulated(SCENARIOS["averaging"], 0))
    assert claim(found) == (
        "Joint training adds nothing that could be shown: late beats the best single modality (visual) and "
        "the majority class, but not score averaging"
    )


def test_what_fusion_adds_beyond_all_of_them_is_said() -> None:
    found = compare(simulated(SCENARIOS["adds"], 0))
    assert claim(found) == (
        f"Fusion adds to what single modalities give: late beats the best single modality "
        f"({found.best_unimodal}), the missingness baseline and score averaging"
    )
    assert "n = 200 clips in 40 groups, 3 seeds" in points(found)["late"]
    gain = row(found, "late")["difference"]
    assert f"; +{100 * gain:.1f} points [" in found.answer.sentence
    assert found.answer.sentence.endswith(f"] against {found.best_unimodal}.")


@pytest.mark.parametrize(
    ("seeds", "begins"),
    [(3, "Fusion adds nothing that could be shown: late beats"), (1, "A single seed gives no verdict; on ")],
)
def test_no_gain_is_claimed_where_a_modality_that_validation_did_not_choose_is_no_worse(
    seeds: int, begins: str
) -> None:
    """It is right on every clip, and so unsure of each that score averaging gains nothing by it."""
    study = simulated(SCENARIOS["adds"], 0, n_seeds=seeds)
    best = compare(study).best_unimodal
    other = next(arm for arm in study.arms if arm.unimodal and arm.name != best)
    truth = np.log(np.eye(other.outputs.shape[2])[study.clips.labels] * 1e-3 + 1)
    runs = tuple(replace(run, outputs=truth) for run in other.runs)
    arms = tuple(replace(arm, runs=runs) if arm is other else arm for arm in study.arms)
    found = claim(compare(replace(study, arms=arms)))
    assert found.startswith(begins)
    assert found.endswith(f", but {other.name} is no worse on test")


def test_where_all_clips_have_all_modalities_presence_is_not_tested_twice() -> None:
    found = compare(simulated(SCENARIOS["single"], 0))
    families = set(found.pairs["family"])
    assert AGAINST_NO_INPUT in families
    assert AGAINST_PRESENCE not in families
    assert WITH_MISSINGNESS not in set(found.table["arm"])
    singles = found.pairs[found.pairs["family"] == SINGLES]
    assert set(singles["b"]) == {"majority class"}
    assert claim(found).endswith("late was not shown to beat the best single modality (visual)")


def test_one_seed_below_presence_is_said_and_is_no_verdict() -> None:
    study = simulated(SCENARIOS["presence"], 3, n_seeds=1)
    found = compare(study)
    lower = row(found, "late")["accuracy"] <= row(found, MISSINGNESS)["accuracy"]
    assert claim(found).startswith("A single seed gives no verdict; on these clips late")
    assert ("does not beat the missingness baseline" in claim(found)) == lower
    assert "n = 200 clips in 40 groups, 1 seed" in points(found)["late"]
    assert points(found)["seeds"].startswith("one: ")


def test_scores_on_complete_clips_and_without_a_modality(telling: Comparison, tmp_path: Path) -> None:
    study = telling.study
    present = study.arms[0].runs[0].present
    late, audio = (next(arm for arm in study.arms if arm.name == name) for name in ("late", "audio"))
    right = late.outputs.argmax(axis=-1) == study.clips.labels
    both = present["visual"] & present["audio"]
    shown = row(telling, "late")
    assert shown["complete_clips"] == both.sum()
    assert shown["complete_groups"] == len(set(study.clips.groups[both]))
    assert shown["complete_accuracy"] == pytest.approx(right[:, both].mean())
    assert row(telling, "audio")["complete_clips"] == present["audio"].sum()
    assert pd.isna(row(telling, "majority class")["complete_clips"])
    without = audio.outputs[:, ~present["audio"]]
    assert np.ptp(without, axis=(0, 1)).max() == 0, "the training prior"
    page = render(telling, "")
    assert f"<td>{both.sum()}</td><td>{shown['complete_groups']:.0f}</td>" in page
    console = Console(width=120, record=True, file=io.StringIO())
    print_comparison(telling, console)
    printed = console.export_text()
    assert "On the test clips that have all modalities of the arm" in printed
    assert "…" not in printed
    assert max(len(line) for line in printed.splitlines()) <= 120


def one_clip(
    study: StudyRuns, name: str, counts: dict[str, tuple[int, ...]], outputs: list[float]
) -> np.ndarray:
    """The combined probabilities of a clip that has both modalities."""
    arm = next(arm for arm in study.arms if arm.name == name)
    run = arm.runs[0]
    result = run.result.model_copy(update={"train_presence": counts})
    here = {m: np.array([True]) for m in run.present}
    one = replace(run, result=result, present=here, outputs=np.log([outputs]), validation=None)
    return np.exp(with_missingness(replace(arm, runs=(one,)))[0, 0])


def test_presence_beside_a_single_modality_by_hand(telling: Comparison) -> None:
    """Bayes' rule: p(y | x) p(y | pattern) / p(y | visual is there), with one imaginary clip a class."""
    counts = {"visual+audio": (8, 2, 0, 0), "visual": (1, 7, 9, 9), "audio": (9, 9, 9, 9)}
    found = one_clip(telling.study, "visual", counts, [0.4, 0.3, 0.2, 0.1])
    pattern, there = np.array([9, 3, 1, 1]) / 14, np.array([10, 10, 10, 10]) / 40
    expected = np.array([0.4, 0.3, 0.2, 0.1]) * pattern / there
    assert found == pytest.approx(expected / expected.sum())
    same = one_clip(telling.study, "visual", {"visual+audio": (5, 1, 0, 0)}, [0.4, 0.3, 0.2, 0.1])
    assert same == pytest.approx([0.4, 0.3, 0.2, 0.1]), "one pattern tells nothing"


def test_the_gain_over_the_reference_is_tested_as_before(telling: Comparison) -> None:
    found = telling.pairs[telling.pairs["family"] == AGAINST_UNIMODAL]
    assert list(found["b"]) == [telling.best_unimodal]
    assert found["adjusted_p"].tolist() == pytest.approx(found["p"].tolist()), "a family of one"


def test_the_terminal_has_the_comparisons_with_controls_and_with_the_leader(
    make_study: Callable[..., Path], fake_arm: type[Any]
) -> None:
    fusions = [f"fusion-{number}" for number in range(12)]
    arms = {name: fake_arm(0.5 + 0.02 * i) for i, name in enumerate(fusions)}
    arms["visual"] = fake_arm(0.4, ("visual",), "control", "single")
    comparison = compare(load_study(make_study(arms=arms)))
    assert len(comparison.pairs) > 12 * 11 / 2
    printed = io.StringIO()
    print_comparison(comparison, Console(file=printed, width=200))
    verdicts = printed.getvalue().split("Verdicts:")[1].split("of fusions that validation does not pick")[0]
    pairs = [line.split()[:2] for line in verdicts.splitlines() if len(line.split()) > 1]
    between = [pair for pair in pairs if set(pair) <= set(fusions)]
    assert len(between) == 11
    assert all(comparison.leader in pair for pair in between)
    assert "\n55 comparisons of fusions that validation does not pick: in pairs.csv" in printed.getvalue()
