"""What TPE proposes: within the space, seeded, by the trials before it alone, and nearer to what is good."""

from __future__ import annotations

import math

from mmvideo.studies.proposals import ROUND, SHARED, proposals
from mmvideo.studies.space import Among, Range, Space, Tuning, trials
from mmvideo.tuning_record import Setting, TrialRow

SPACE: Space = {
    "rate": Range(1e-5, 1e-1, log=True),
    "layers": Range(1, 6, whole=True),
    "width": Among((64, 128)),
}


def score(setting: Setting) -> float | None:
    """Best at a rate of 1e-2; the first trial, as the arm is, is far from it, and the largest rates fail."""
    rate = float(setting.get("rate", 1e-5))
    return None if rate > 0.08 else 1 - abs(math.log10(rate) + 2) / 4


def carried_out(tuning: Tuning) -> list[TrialRow]:
    rows: list[TrialRow] = []
    while settings := proposals(tuning, rows, [row.score for row in rows]):
        rows += [TrialRow(setting=one, score=score(one), loss=1.0) for one in settings]
    return rows


def test_trials_are_as_many_as_the_budget_and_a_larger_one_begins_with_the_smaller() -> None:
    smaller, larger = (carried_out(Tuning(n, SPACE, sampler="tpe")) for n in (13, 22))
    assert (len(smaller), len(larger)) == (13, 22)
    assert [row.setting for row in smaller[: SHARED + ROUND]] == [
        row.setting for row in larger[: SHARED + ROUND]
    ]
    assert [row.setting for row in larger[:SHARED]] == trials(SPACE, SHARED)
    assert carried_out(Tuning(22, SPACE, sampler="tpe")) == larger, "seeded"


def test_an_interrupted_sweep_goes_on_as_it_would_have() -> None:
    tuning = Tuning(16, SPACE, sampler="tpe")
    rows = carried_out(tuning)
    for done in (SHARED, SHARED + ROUND):
        again = proposals(tuning, rows[:done], [row.score for row in rows[:done]])
        assert again == [row.setting for row in rows[done : done + ROUND]]


def test_proposals_lie_in_the_space_and_come_nearer_to_the_best() -> None:
    rows = carried_out(Tuning(24, SPACE, sampler="tpe"))
    later = [row.setting for row in rows[SHARED:]]
    for setting in later:
        assert 1e-5 <= float(setting["rate"]) <= 1e-1
        assert setting["layers"] in range(1, 7)
        assert setting["width"] in (64, 128)
    off = [abs(math.log10(float(setting["rate"])) + 2) for setting in later]
    assert sum(off[-8:]) / 8 < 1.0, "of uniform draws it is 1.25"


def test_sobol_is_the_same_for_all_and_asked_for_at_once() -> None:
    tuning = Tuning(12, SPACE)
    assert proposals(tuning, [], []) == trials(SPACE, 12)
    assert proposals(tuning, [TrialRow(setting={})] * 12, [None] * 12) == []
