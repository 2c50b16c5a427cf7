"""Which controls a fusion is compared with: those under its own conditions.

Where a study varies more than fusion, such as encoders or the share of the training clips, it has controls at
each level. What a fusion of a tenth of the clips gains is then its difference to single modalities of that
tenth, not to those of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmvideo.report.runs import ArmRuns, StudyRuns


@dataclass(frozen=True, eq=False)
class Condition:
    """Fusions that share their controls."""

    label: str
    """Its levels, such as `0.1`; empty where the study has one condition."""
    fusions: tuple[ArmRuns, ...]
    singles: tuple[ArmRuns, ...]
    """The single-modality arms under it."""

    @property
    def reference(self) -> ArmRuns | None:
        """The single modality with the best validation score."""
        return best(self.singles)

    @property
    def arms(self) -> frozenset[str]:
        return frozenset(arm.name for arm in (*self.fusions, *self.singles))

    def name(self, control: str) -> str:
        """What a control is called that is made for this condition."""
        return f"{control} ({self.label})" if self.label else control


def conditions_of(study: StudyRuns) -> tuple[Condition, ...]:
    """The study's conditions, in the order of its arms: one, unless its controls have levels of factors."""
    singles = [arm for arm in study.arms if arm.unimodal]
    fusions = [arm for arm in study.arms if not arm.unimodal and arm.role == "fusion"]
    factors = list(dict.fromkeys(factor for single in singles for factor in levels(single)))
    found: dict[tuple[str, ...], list[ArmRuns]] = {}
    for arm in fusions:
        found.setdefault(tuple(arm.factors.get(factor, "") for factor in factors), []).append(arm)
    if len(found) < 2:
        return (Condition("", tuple(fusions), tuple(singles)),)
    return tuple(
        Condition(", ".join(key), tuple(arms), tuple(single for single in singles if fits(single, arms[0])))
        for key, arms in found.items()
    )


def levels(single: ArmRuns) -> dict[str, str]:
    """The levels that a control was made at: of the factors that change what a modality does alone."""
    return dict(single.factors) if single.role == "control" else {}


def fits(single: ArmRuns, arm: ArmRuns) -> bool:
    """Whether it is at the arm's level of every factor that it has a level of."""
    return all(arm.factors.get(factor) == level for factor, level in levels(single).items())


def best(arms: Sequence[ArmRuns]) -> ArmRuns | None:
    """The one with the best validation score."""
    return max(arms, key=lambda arm: arm.rank, default=None)
