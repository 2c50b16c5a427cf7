"""Wrong options are the user's mistake, and are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy_layers import made

from mmvideo.errors import InputError
from mmvideo.fusion.options import check_choice, check_count, check_dropout
from mmvideo.vocabulary import MODALITIES

WITH_DROPOUT = ("late", "gated", "film", "mmtm", "tensor", "low_rank", "bilinear", "attention", "experts")


@given(st.integers(min_value=1))
def test_any_positive_whole_number_is_a_count(value: int) -> None:
    check_count("tensor", "rank", value)


@given(st.one_of(st.integers(max_value=0), st.floats(), st.booleans(), st.text()))
def test_nothing_else_is(value: object) -> None:
    with pytest.raises(InputError, match="fusion 'tensor': rank must be a whole number"):
        check_count("tensor", "rank", value)


def test_a_choice_names_the_nearest() -> None:
    check_choice("attention", "score", "dot", ("additive", "dot"))
    with pytest.raises(InputError, match=r"Did you mean 'additive'\? Known: additive, dot\."):
        check_choice("attention", "score", "adaptive", ("additive", "dot"))
    with pytest.raises(InputError, match="'True'"):
        check_choice("attention", "score", True, ("additive", "dot"))


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 0.999])
def test_a_dropout(value: float) -> None:
    check_dropout(value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, float("nan"), "0.1", True, None])
def test_no_dropout(value: object) -> None:
    with pytest.raises(InputError, match="dropout must be a number from 0 up to"):
        check_dropout(value)


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_every_strategy_checks_its_dropout(name: str) -> None:
    with pytest.raises(InputError, match=r"dropout must be .* got 1\.0"):
        made(name, MODALITIES, dropout=1.0)
