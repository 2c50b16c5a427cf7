"""Tuning in a report: the budget, which was every arm's, and what validation chose for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from mmvideo.evaluation.budgets import budgets, choose
from mmvideo.report.conditions import conditions_of
from mmvideo.report.rows import Row
from mmvideo.report.runs import StudyRuns
from mmvideo.tuning_record import setting_text
from mmvideo.vocabulary import counted

COLUMNS = ("trials", "trial", "trial_score", "chosen")


def tuned_columns(study: StudyRuns, rows: Sequence[Row]) -> pd.DataFrame:
    """For each row its arm's `trials`, the number of the chosen `trial`, that one's score on validation, and
    the settings that were `chosen`; empty for rows that are no tuned arms."""
    return pd.DataFrame([_of(study, row.name) for row in rows], columns=COLUMNS)


def _of(study: StudyRuns, arm: str) -> tuple[Any, ...]:
    found = study.tuning.of(arm) if study.tuning else None
    if found is None or found.chosen is None:
        return None, None, None, ""
    best = found.trials[found.chosen]
    return len(found.trials), found.chosen, best.score, setting_text(best.setting)


def budget(study: StudyRuns) -> str:
    """How a tuned study's settings were chosen."""
    assert study.tuning is not None
    tuning, failed = study.tuning, sum(arm.failed for arm in study.tuning.arms)
    names = " and ".join(", ".join(_plain(name) for name in tuning.space).rsplit(", ", 1))
    same = "the same for all" if tuning.sampler == "sobol" else "as many for all, by TPE"
    seeds = f" with {len(tuning.seeds)} tuning seeds each" if len(tuning.seeds) > 1 else ""
    lost = f"; {counted(failed, 'trial')} failed" if failed else ""
    return (
        f"{counted(tuning.trials, 'trial')} an arm{seeds}, {same}, over {names}; chosen on "
        f"validation alone and trained anew with the seeds of the study{lost}"
    )


def by_budget(study: StudyRuns) -> dict[str, tuple[float | None, ...]]:
    """For each arm what the best of its first 1, 2, 4 … trials (`budgets`) scores on validation; None where
    all of these failed."""
    assert study.tuning is not None
    return {
        arm.arm: tuple(
            None if (best := choose(arm.trials[:n], study.task, _select(study))) is None
            else arm.trials[best].score
            for n in budgets(study.tuning.trials)
        )
        for arm in study.tuning.arms
    }  # fmt: skip


def budget_claims(study: StudyRuns) -> list[str]:
    """Which claims hold at every budget, and which at some alone: that a fusion leads, that it is ahead of
    the best single modality, of those under the conditions of the fusions that lead.

    They are of the winners' scores on validation, of tuning seeds alone: no test and no interval.
    """
    assert study.tuning is not None
    scores, sign = by_budget(study), 1 if study.task.higher_is_better else -1
    fusions = [arm.name for arm in study.arms if arm.role == "fusion" and not arm.unimodal]
    conditions = conditions_of(study)

    def best(names: Iterable[str], at: int) -> tuple[float, list[str]] | None:
        """The highest score, and all that have it."""
        known = {name: scores[name][at] for name in names if name in scores}
        found = {name: sign * score for name, score in known.items() if score is not None}
        top = max(found.values(), default=0.0)
        return (top, [name for name in found if found[name] == top]) if found else None

    leads: dict[str, list[int]] = {}
    ahead: dict[bool, list[int]] = {}
    for at, trials in enumerate(budgets(study.tuning.trials)):
        fusion = best(fusions, at)
        if fusion is None:
            continue
        leads.setdefault(" and ".join(fusion[1]), []).append(trials)
        beside = [c.singles for c in conditions if c.arms.intersection(fusion[1])]
        single = best((arm.name for singles in beside for arm in singles), at)
        if single:
            ahead.setdefault(fusion[0] > single[0], []).append(trials)
    claims = []
    if len(leads) > 1:
        when = "; ".join(f"{name} with {_listed(trials)}" for name, trials in leads.items())
        claims.append(f"which fusion leads depends on the number of trials: {when}")
    elif leads and len(fusions) > 1:
        claims.append(f"at every number of trials the best fusion is {next(iter(leads))}")
    if len(ahead) > 1:
        claims.append(
            f"the best fusion is ahead of the best single modality with {_listed(ahead[True])}, not with "
            f"{_listed(ahead[False])}"
        )
    elif ahead:
        which = "every" if True in ahead else "no"
        claims.append(f"at {which} number of trials the best fusion is ahead of the best single modality")
    return claims


def _listed(trials: Sequence[int]) -> str:
    return " and ".join(", ".join(map(str, trials)).rsplit(", ", 1))


def _select(study: StudyRuns) -> str:
    """What the study's runs choose an epoch by; records leave out what was so before there was a choice."""
    return str(study.arms[0].runs[0].result.deciding["train"].get("select", "loss"))


def _plain(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")
