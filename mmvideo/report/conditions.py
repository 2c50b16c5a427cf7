"""Which controls a fusion is compared with: those under its own conditions.

Where a study varies more than fusion, such as encoders or the share of the training clips, it has controls at
each level. What a fusion of a tenth of the clips gains is then its difference to single modalities of that
tenth, not to those of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmvideo.report.runs import ArmRuns, StudyRuns
from mmvideo.vocabulary import OF_FUSING


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
    """The study's conditions, in the order of its fusions: one, unless its single modalities have levels of
    factors. Last come those of single modalities whose fusions are not finished."""
    singles = [arm for arm in study.arms if arm.unimodal]
    fusions = [arm for arm in study.arms if not arm.unimodal and arm.role == "fusion"]
    told = {single.name: levels(single, fusions) for single in singles}
    factors = list(dict.fromkeys(factor for own in told.values() for factor in own))

    def key(at: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(at.get(factor, "") for factor in factors)

    def fits(single: ArmRuns, arm: ArmRuns) -> bool:
        """At the arm's level of every factor that any single arm of the modality has a level of."""
        alike = (told[other.name] for other in singles if other.modalities == single.modalities)
        return all(arm.factors.get(f) == told[single.name].get(f) for own in alike for f in own)

    together: dict[tuple[str, ...], list[ArmRuns]] = {}
    for arm in fusions:
        together.setdefault(key(arm.factors), []).append(arm)
    found = {at: (arms, [s for s in singles if fits(s, arms[0])]) for at, arms in together.items()}
    beside = {single.name for _, own in found.values() for single in own}
    left = [told[single.name] for single in singles if single.name not in beside]
    for at in left:
        if not any(at.items() < other.items() for other in left):
            agreeing = [s for s in singles if all(at.get(f, v) == v for f, v in told[s.name].items())]
            found.setdefault(key(at), ([], agreeing))
    labels = _labels(list(found), factors)
    return tuple(
        Condition(label, tuple(arms), tuple(own))
        for label, (arms, own) in zip(labels, found.values(), strict=True)
    ) or (Condition("", (), ()),)  # fmt: skip


def levels(single: ArmRuns, fusions: Sequence[ArmRuns]) -> dict[str, str]:
    """The levels that a single modality was made at, of the factors that change what it does alone: all that
    a control has; of an arm of the study's own axes those that fusions have levels of in common with it."""
    if single.role == "control":
        return dict(single.factors)
    shared = {(factor, level) for arm in fusions for factor, level in arm.factors.items()}
    fusing = {field.rpartition(".")[2] for field in OF_FUSING}
    return {f: at for f, at in single.factors.items() if f not in fusing and (f, at) in shared}


def _labels(keys: Sequence[tuple[str, ...]], factors: Sequence[str]) -> list[str]:
    """What conditions are called: by their levels; with their factors, where these alone do not tell two
    apart. Empty for a single one."""
    if len(keys) < 2:
        return [""] * len(keys)
    plain = [", ".join(level for level in key if level) for key in keys]
    if len(set(plain)) == len(plain) and all(plain):
        return plain
    return [", ".join(f"{f}={level!r}" for f, level in zip(factors, key, strict=True)) for key in keys]


def best(arms: Sequence[ArmRuns]) -> ArmRuns | None:
    """The one with the best validation score."""
    return max(arms, key=lambda arm: arm.rank, default=None)
