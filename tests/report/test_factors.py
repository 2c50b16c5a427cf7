"""The section on factors: effects of a factorial study, in page and record; none of any other study."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from made_records import rewrite
from rich.console import Console

from mmvideo.files import read_record
from mmvideo.report.charts import levels
from mmvideo.report.charts.theme import specification
from mmvideo.report.compare import compare
from mmvideo.report.console import print_comparison
from mmvideo.report.factors import effects, to_read
from mmvideo.report.load import load_study
from mmvideo.report.page import render
from mmvideo.report.sections.factors import content, two_way
from mmvideo.study_records import ComparisonRecord, StudyRecord

ACCURACY = {("late", "va"): 0.5, ("late", "vat"): 0.6, ("early", "va"): 0.5, ("early", "vat"): 0.9}
READ = {"va": ("visual", "audio"), "vat": ("visual", "audio", "text")}


@pytest.fixture
def factorial(make_study: Callable[..., Path], fake_arm: type[Any]) -> Path:
    arms = {
        f"{fusion}-{read}": fake_arm(accuracy, READ[read], fusion=fusion)
        for (fusion, read), accuracy in ACCURACY.items()
    }
    arms["visual"] = fake_arm(0.4, ("visual",), "control", "single")
    folder = make_study(arms=arms, n_clips=600)
    record = read_record(folder / "study.json", StudyRecord, "")
    levels = {arm: dict(zip(("fusion", "modalities"), arm.split("-"), strict=False)) for arm in arms}
    known = tuple(
        arm.model_copy(update={"factors": levels[arm.name] if arm.role == "fusion" else {}})
        for arm in record.arms
    )
    rewrite(folder / "study.json", record.model_copy(update={"arms": known}))
    return folder


def test_table_page_and_record_have_the_effects(factorial: Path) -> None:
    comparison = compare(load_study(factorial))
    table = effects(comparison.study).set_index("level")
    means = dict(zip(comparison.table["arm"], map(float, comparison.table["accuracy"]), strict=True))
    whole = sum(value for name, value in means.items() if "-" in name) / 4
    assert table.loc["vat", "effect"] == pytest.approx((means["late-vat"] + means["early-vat"]) / 2 - whole)
    both = means["early-vat"] - means["late-vat"] - means["early-va"] + means["late-va"]
    assert table.loc["early × vat", "effect"] == pytest.approx(both / 4)
    assert table.loc["vat", "adjusted_p"] == table.loc["va", "adjusted_p"] < 0.05, "one test, not two"
    assert table.loc["early × vat", "p"] == table.loc["early × vat", "adjusted_p"], "one test of four rows"
    assert table["kind"].value_counts().to_dict() == {"main effect": 4, "interaction": 4}
    page = render(comparison, "")
    assert "<h2>Factors</h2>" in page
    assert "late × va" in page
    record = ComparisonRecord.model_validate_json(comparison.record().text())
    assert [row["level"] for row in record.factors] == list(table.index)


def test_of_two_levels_readers_are_shown_one(factorial: Path) -> None:
    """The other's effect is its negative: one contrast is one row."""
    study = load_study(factorial)
    assert to_read(study)["level"].tolist() == ["late", "va", "late × va"]
    comparison = compare(study)
    shown = render(comparison, "").split("<h2>Factors</h2>")[1].split("<h2>")[0]
    assert shown.count('<td class="words">fusion</td>') == 1
    out = StringIO()
    print_comparison(comparison, Console(file=out, width=120, color_system=None))
    printed = out.getvalue()
    assert "Effects of factors" in printed
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert any(line.startswith("modalities −") and line.endswith("va") for line in lines)


def test_a_study_without_factors_says_nothing_of_them(make_study: Callable[..., Path]) -> None:
    comparison = compare(load_study(make_study()))
    assert effects(comparison.study).empty
    assert "<h2>Factors</h2>" not in render(comparison, "")


def test_two_factors_are_a_table_of_their_combinations(factorial: Path) -> None:
    comparison = compare(load_study(factorial))
    cells = two_way(comparison)
    assert cells is not None
    assert cells["factors"] == ("fusion", "modalities")
    means = dict(zip(comparison.table["arm"], comparison.table["accuracy"], strict=True))
    for fusion, read in ACCURACY:
        assert cells["rows"][fusion][read]["accuracy"] == means[f"{fusion}-{read}"]
    table = render(comparison, "").split('id="cells"')[1].split("</table>")[0]
    assert table.count("<td") == 4
    assert table.count(f">{means['early-vat'] * 100:.1f} <small>") == 1
    assert 'class="better"' in table


def test_arms_that_share_a_combination_make_no_table_of_two_factors(factorial: Path) -> None:
    """Else one of them would stand for both, as where only some have a level of a third factor."""
    record = read_record(factorial / "study.json", StudyRecord, "")
    arms = tuple(
        arm.model_copy(update={"factors": {"fusion": "late", "modalities": "va", "tuned": "yes"}})
        if arm.name == "late-vat"
        else arm
        for arm in record.arms
    )
    assert arms != record.arms
    rewrite(factorial / "study.json", record.model_copy(update={"arms": arms}))
    assert two_way(compare(load_study(factorial))) is None


class TestCurves:
    SHARES = ("1", "0.5", "0.1")

    @pytest.fixture
    def by_share(self, make_study: Callable[..., Path], fake_arm: type[Any]) -> Path:
        arms, factors = {}, {}
        for place, share in enumerate(self.SHARES):
            for fusion, accuracy in (("late", 0.8), ("early", 0.7)):
                name = f"{fusion}-{share}"
                arms[name] = fake_arm(accuracy - 0.1 * place, ("visual", "audio"), fusion=fusion)
                factors[name] = {"fusion": fusion, "share": share}
            arms[f"visual-{share}"] = fake_arm(0.6 - 0.1 * place, ("visual",), "control", "single")
            factors[f"visual-{share}"] = {"share": share}
        folder = make_study(arms=arms, n_clips=100)
        record = read_record(folder / "study.json", StudyRecord, "")
        known = tuple(arm.model_copy(update={"factors": factors[arm.name]}) for arm in record.arms)
        rewrite(folder / "study.json", record.model_copy(update={"arms": known}))
        return folder

    def test_each_level_stands_beside_the_best_single_modality_there(self, by_share: Path) -> None:
        comparison = compare(load_study(by_share))
        found = content(comparison)
        assert found is not None
        drawn = specification(found.charts["levels"])
        (values,) = drawn["datasets"].values()
        points = {(row["panel"], row["level"], row["series"]): row for row in values}
        assert len(points) == len(values) == 2 * 3 * 2
        table = comparison.table.set_index("arm")
        for (fusion, level, series), row in points.items():
            arm = f"{fusion if series == 'arm' else 'visual'}-{level:g}"
            assert row["arm"] == arm
            assert row["score"] == pytest.approx(100 * table.loc[arm, "accuracy"], rel=1e-5)
            assert row["low"] == pytest.approx(100 * table.loc[arm, "low"], rel=1e-5)
        page = render(comparison, "")
        assert 'id="levels"' in page
        assert "Test accuracy by share" in page

    def test_names_make_no_curve(self, factorial: Path) -> None:
        found = content(compare(load_study(factorial)))
        assert found is not None
        assert not found.charts
        assert levels.numbers(["0.1", "small", "1"]) is None
        assert levels.numbers(["1", "0.5"]) is None, "two points are none either"
        assert levels.numbers(["1", "nan", "2", "3"]) is None
        assert levels.numbers(["1", "2", "1e400"]) is None, "infinity is no place on an axis"
        assert levels.numbers(["1", "1.0", "2", "3"]) is None, "two levels at one place are no curve"
        assert levels.numbers(["-1", "0", "1e-5", "1000"]) == [-1, 0, 1e-5, 1000]
