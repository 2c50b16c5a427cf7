"""What a study's tests let one claim of fusion: the sentence that the answer begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mmvideo.evaluation.statistics import ONE_SEED
from mmvideo.report.comparisons import (
    AGAINST_AVERAGING,
    AGAINST_BOTH,
    AGAINST_NO_INPUT,
    AGAINST_PRESENCE,
    AGAINST_UNIMODAL,
    BETWEEN_FUSIONS,
    FAMILIES,
)
from mmvideo.report.words import joined

Test = Mapping[Any, Any]
Tests = Mapping[str, Test]
"""The leader's paired comparison of each family that has controls."""
HURDLES = (AGAINST_PRESENCE, AGAINST_NO_INPUT, AGAINST_UNIMODAL, AGAINST_BOTH, AGAINST_AVERAGING)
"""What a fusion has to beat, in the order in which the first that it does not beat is named."""
NOTHING = "nothing that could be shown"


def leaders_tests(pairs: pd.DataFrame, leader: str) -> Tests:
    """The leader's comparisons with controls by family, in the families' order."""
    found = {test["family"]: test for test in pairs[pairs["a"] == leader].to_dict("records")}
    return {family: found[family] for family in FAMILIES if family in found and family != BETWEEN_FUSIONS}


def conclusion(
    tests: Tests, leader: str, *, higher_is_better: bool = True, as_good: Sequence[str] = ()
) -> tuple[str, Test]:
    """Whether fusion gains, what explains its gain if something simpler does, and the test that decides.

    Args:
        as_good: single modalities as good as the leader on test, or better, whatever validation said.
    """
    names = {family: _name(test, family) for family, test in tests.items()}
    hurdles = [family for family in HURDLES if family in tests]
    one_seed = tests[hurdles[0]]["verdict"] == ONE_SEED
    ahead = {family: (test["difference"] > 0) == higher_is_better for family, test in tests.items()}
    beaten = {
        family: ahead[family] and test["difference"] != 0 if one_seed else test["verdict"] == "better"
        for family, test in tests.items()
    }
    missed = next((family for family in hurdles if not beaten[family]), None)
    shown = (AGAINST_UNIMODAL, hurdles[0], AGAINST_AVERAGING)
    passed = joined([names[family] for family in shown if beaten.get(family)])
    test = tests[missed or (AGAINST_UNIMODAL if AGAINST_UNIMODAL in tests else hurdles[0])]
    but = f", but {joined(as_good)} {'is' if len(as_good) == 1 else 'are'} no worse on test"
    if one_seed:
        here = f"does not beat {names[missed]}" if missed else f"is ahead of {passed}{but * bool(as_good)}"
        claim = f"A single seed gives no verdict; on these clips {leader} {here}"
    elif missed == AGAINST_AVERAGING:
        claim = f"Joint training adds {NOTHING}: {leader} beats {passed}, but not {names[missed]}"
    elif missed == AGAINST_BOTH:
        claim = (
            f"Fusion adds {NOTHING} beyond missingness: {leader} beats {names[AGAINST_UNIMODAL]}, but not "
            f"{names[missed]}"
        )
    elif missed:
        failed = "is worse than" if test["verdict"] == "worse" else "was not shown to beat"
        claim = f"Fusion adds {NOTHING}: {leader} {failed} {names[missed]}"
    elif as_good:
        claim = f"Fusion adds {NOTHING}: {leader} beats {passed}{but}"
    elif AGAINST_UNIMODAL in tests:
        claim = f"Fusion adds to what single modalities give: {leader} beats {passed}"
    else:
        claim = f"{leader} beats {passed}; what fusion adds to a single modality was not measured"
    return claim, test


def _name(test: Test, family: str) -> str:
    """What the leader is compared with, in a sentence."""
    return {
        AGAINST_UNIMODAL: f"the best single modality ({test['b']})",
        AGAINST_BOTH: "that modality with what missingness tells",
        AGAINST_AVERAGING: "score averaging",
    }.get(family, f"the {test['b']}")
