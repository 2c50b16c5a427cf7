"""Ranks that pairwise intervals leave open."""

from __future__ import annotations

from mmvideo.evaluation.ranks import rank_sets

OPEN, ABOVE, BELOW = (-1.0, 1.0), (0.5, 1.5), (-1.5, -0.5)


def test_who_is_beaten_by_one_and_beats_one_is_second() -> None:
    chain = {("a", "b"): ABOVE, ("a", "c"): ABOVE, ("b", "c"): ABOVE}
    assert rank_sets("abc", chain) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}
    assert rank_sets("abc", chain, higher_is_better=False) == {"a": (3, 3), "b": (2, 2), "c": (1, 1)}


def test_what_is_not_told_apart_shares_its_ranks() -> None:
    found = rank_sets("abc", {("a", "b"): OPEN, ("a", "c"): ABOVE, ("b", "c"): OPEN})
    assert found == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}
    assert rank_sets("ab", {("a", "b"): OPEN}) == {"a": (1, 2), "b": (1, 2)}
    assert rank_sets("ab", {("a", "b"): BELOW}) == {"a": (2, 2), "b": (1, 1)}
    assert rank_sets("a", {}) == {"a": (1, 1)}
