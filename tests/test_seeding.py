"""Derived seeds: the same everywhere, different for different things."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from mmvideo.seeding import derive_seed

PARTS = st.lists(
    st.one_of(st.integers(), st.text(st.characters(min_codepoint=32, codec="utf-8"), max_size=8)),
    min_size=1,
    max_size=4,
)


def test_it_is_the_first_63_bits_of_a_sha256() -> None:
    digest = hashlib.sha256(b"int:0\x1fstr:sample\x1fint:3\x1fstr:clip7").hexdigest()
    assert derive_seed(0, "sample", 3, "clip7") == int(digest[:16], 16) // 2


def test_another_process_gets_the_same() -> None:
    code = "from mmvideo.seeding import derive_seed; print(derive_seed(1, 'a', 2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == derive_seed(1, "a", 2)


@given(a=PARTS, b=PARTS)
def test_different_parts_give_different_seeds(a: list[int | str], b: list[int | str]) -> None:
    assert 0 <= derive_seed(*a) < 2**63
    assert (derive_seed(*a) == derive_seed(*b)) == ([(type(x), x) for x in a] == [(type(x), x) for x in b])


def test_neither_type_nor_border_of_a_part_is_lost() -> None:
    assert (
        len(
            {
                derive_seed(1, 2),
                derive_seed("1", 2),
                derive_seed(12),
                derive_seed("1", "2"),
                derive_seed("12"),
            }
        )
        == 5
    )
