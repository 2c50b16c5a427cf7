"""The settings that tuning tries: drawn once, the same for every arm, within their space."""

from __future__ import annotations

import math

import pytest

from mmvideo.errors import InputError
from mmvideo.studies.space import SPACE, Among, Range, Tuning, trials, values_from


def test_the_first_trial_changes_nothing_and_a_larger_budget_begins_with_the_smaller() -> None:
    drawn = trials(SPACE, 12)
    assert drawn[0] == {}
    assert len({tuple(setting.items()) for setting in drawn}) == len(drawn) == 12
    assert drawn[:5] == trials(SPACE, 5)
    assert trials(SPACE, 2, seed=1) != trials(SPACE, 2, seed=2)


def test_settings_fill_their_space() -> None:
    space = {"rate": Range(1e-4, 1e-2, log=True), "share": Range(0.0, 0.5), "width": Among((8, 16))}
    drawn = trials(space, 17)[1:]
    rates = [float(setting["rate"]) for setting in drawn]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert sum(rate < 1e-3 for rate in rates) == 8, "as many in each decade"
    assert sum(float(setting["share"]) < 0.25 for setting in drawn) == 8
    assert [setting["width"] for setting in drawn].count(8) == 8


def test_the_ends_of_a_range_are_in_it() -> None:
    assert (Range(1e-4, 3e-3, log=True).at(0.0), Range(1e-4, 3e-3, log=True).at(1.0)) == (1e-4, 3e-3)
    assert Among((1, 2)).at(1.0) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: Range(2.0, 1.0),
        lambda: Range(0.0, 1.0, log=True),
        lambda: Among(()),
        lambda: Tuning(trials=1),
        lambda: Tuning(space={}),
        lambda: Range(0.5, 3, whole=True),
        lambda: Range(1, math.inf),
        lambda: values_from("log:4,5"),
        lambda: values_from("a..b"),
        lambda: values_from(""),
    ],
)
def test_what_cannot_be_tuned_is_refused(make) -> None:
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("log:1e-4..1e-2", Range(1e-4, 1e-2, log=True)),
        ("0..0.5", Range(0.0, 0.5)),
        ("2..6", Range(2, 6, whole=True)),
        ("log:2..64", Range(2, 64, log=True, whole=True)),
        ("64,128", Among((64, 128))),
        ("late,early", Among(("late", "early"))),
        ("true,false", Among((True, False))),
    ],
)
def test_a_space_as_the_command_line_says_it(text: str, values: Range | Among) -> None:
    assert values_from(text) == values


def test_a_range_of_whole_numbers_has_only_these() -> None:
    drawn = {Range(1, 4, whole=True).at(share / 20) for share in range(21)}
    assert drawn == {1, 2, 3, 4}
    assert {type(value) for value in drawn} == {int}
