"""Which ranks the data leave open for each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def rank_sets(
    names: Sequence[str],
    intervals: Mapping[tuple[str, str], tuple[float, float]],
    *,
    higher_is_better: bool = True,
) -> dict[str, tuple[int, int]]:
    """For each arm the best and the worst rank that simultaneous pairwise intervals leave open.

    With A arms that are ahead of this one by an interval that leaves out 0, and B behind it, ranks 1 + A to
    K - B hold for all arms together with the intervals' coverage (Mogstad, Romano, Shaikh & Wilhelm 2024,
    https://doi.org/10.1093/restud/rdad006).

    Args:
        names: the K arms.
        intervals: of the difference of the first and the second, for every pair of them.
    """
    ahead, behind = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for (a, b), (low, high) in intervals.items():
        if low <= 0 <= high:
            continue
        winner, loser = (a, b) if (low > 0) == higher_is_better else (b, a)
        ahead[loser] += 1
        behind[winner] += 1
    return {name: (1 + ahead[name], len(names) - behind[name]) for name in names}
