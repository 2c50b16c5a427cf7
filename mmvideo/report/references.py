"""What a reader may have the arms measured against on the page: each reference that a family tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmvideo.report.charts.theme import short_number
from mmvideo.report.compare import Comparison
from mmvideo.report.comparisons import AGAINST_UNIMODAL, BETWEEN_FUSIONS, FAMILIES

Difference = tuple[float, float, float, str]
"""Of an arm to the reference: value, low, high, verdict."""
_OTHER_SIDE = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Reference:
    """A row of the table that others are compared with."""

    name: str
    differences: Mapping[str, Difference]
    """By arm, of those that were compared with it."""
    families: Mapping[str, tuple[int, int]]
    """Which families these are of: how many of its comparisons are shown, and how many it has."""

    @property
    def holds(self) -> str:
        """What the intervals hold for."""
        parts = [
            f"all {size} comparisons of the family “{family}”" + (f" ({shown} shown)" if shown < size else "")
            for family, (shown, size) in self.families.items()
        ]
        if [size for _, size in self.families.values()] == [1]:
            return "95 % intervals for one comparison, “{}”.".format(*self.families)
        apart = ", each family by itself" if len(parts) > 1 else ""
        return f"95 % intervals hold together (max-t) for {' and '.join(parts)}{apart}."


def default_holds(comparison: Comparison) -> str:
    """The same of the differences to the best single modality, which the page begins with."""
    pairs = comparison.pairs
    size = int((pairs["family"] == AGAINST_UNIMODAL).sum())
    others = "95 % intervals of all other rows are of one comparison by itself, and earn no verdict."
    if not size:
        return others
    return f"{Reference('', {}, {AGAINST_UNIMODAL: (size, size)}).holds} {others}"


def references(comparison: Comparison) -> list[Reference]:
    """In the table's order, all but the best single modality. Both sides of what is tested between fusions;
    an arm that was not compared with a reference has no difference to it."""
    found: dict[str, dict[str, Difference]] = {}
    families: dict[str, dict[str, int]] = {}
    sizes = comparison.pairs["family"].value_counts()
    for pair in comparison.pairs[comparison.pairs["family"] != AGAINST_UNIMODAL].to_dict("records"):
        a, b, family, word = pair["a"], pair["b"], pair["family"], pair["verdict"]
        sides = [(b, a, (pair["difference"], pair["low"], pair["high"], word))]
        if family == BETWEEN_FUSIONS:
            turned = (-pair["difference"], -pair["high"], -pair["low"], _OTHER_SIDE.get(word, word))
            sides.append((a, b, turned))
        for reference, arm, difference in sides:
            found.setdefault(reference, {})[arm] = difference
            own = families.setdefault(reference, {})
            own[family] = own.get(family, 0) + 1
    return [
        Reference(
            name,
            found[name],
            {f: (families[name][f], int(sizes[f])) for f in FAMILIES if f in families[name]},
        )
        for name in comparison.table["arm"]
        if name in found
    ]


def choices(comparison: Comparison, title: str) -> dict[str, Any] | None:
    """What the page's chart of differences is drawn from anew: `arms`, `verdicts`, and of each choice its
    `name`, what its intervals hold for, the axis' `title`, and `values` for each arm: difference, low, high
    and the verdict's place. None where the chart shows no differences, or there is nothing to choose.

    Args:
        title: the axis', with `{}` for the reference.
    """
    found = references(comparison)
    given = comparison.compared_with
    if given is None or not found:
        return None
    arms = list(comparison.table["arm"])
    verdicts = list(dict.fromkeys(d[3] for reference in found for d in reference.differences.values()))
    factor = comparison.study.task.display.factor

    def packed(difference: Difference | None) -> list[Any] | None:
        if difference is None:
            return None
        *values, word = difference
        return [*(short_number(factor * value) for value in values), verdicts.index(word)]

    first = {
        "name": given,
        "holds": default_holds(comparison),
        "title": title.format(given),
    }
    others = [
        {
            "name": reference.name,
            "holds": reference.holds,
            "title": title.format(reference.name),
            "values": [packed(reference.differences.get(arm)) for arm in arms],
        }
        for reference in found
    ]
    return {"arms": arms, "verdicts": verdicts, "choices": [first, *others]}
