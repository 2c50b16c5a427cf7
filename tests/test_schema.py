"""Fields that configurations were given later."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from mmvideo.schema import Part, added, decisive, read_part


class Inner(Part):
    heads: int = 4
    steps: tuple[int, ...] = added((1,), before=(1,))


class NewField(Part):
    """`warm` changes nothing at its default; `bias` is on now, and was not there before."""

    width: int = 8
    inner: Inner = Inner()
    several: dict[str, Inner] = Field(default_factory=dict)
    warm: bool = added(False, before=False)
    bias: bool = added(True, before=False)


class Old(Part):
    """What it was before."""

    width: int = 8
    inner: dict[str, int] = Field(default_factory=lambda: {"heads": 4})
    several: dict[str, int] = Field(default_factory=dict)


def test_a_field_that_changes_nothing_does_not_count() -> None:
    assert decisive(NewField(bias=False)) == decisive(Old())


def test_a_field_that_changes_something_counts() -> None:
    assert decisive(NewField()) == decisive(Old()) | {"bias": True}
    assert decisive(NewField(bias=False, warm=True)) == decisive(Old()) | {"warm": True}
    nested = NewField(bias=False, inner=Inner(steps=(2,)), several={"a": Inner(steps=(3,)), "b": Inner()})
    assert decisive(nested) == {
        "width": 8,
        "inner": {"heads": 4, "steps": [2]},
        "several": {"a": {"heads": 4, "steps": [3]}, "b": {"heads": 4}},
    }


def test_a_changed_default_of_any_field_counts() -> None:
    class Changed(Old):
        width: int = 9

    assert decisive(Changed()) != decisive(Old())


def test_a_file_without_the_field_reads_as_before() -> None:
    old = read_part(NewField, Old().model_dump_json())
    assert (old.warm, old.bias, old.inner.steps) == (False, False, (1,))
    assert decisive(old) == decisive(Old())
    new = read_part(NewField, NewField().model_dump_json())
    assert new == NewField()
    assert new.bias


def test_after_a_file_that_cannot_be_read_new_ones_have_their_defaults() -> None:
    with pytest.raises(ValidationError):
        read_part(NewField, '{"width": "wide"}')
    assert NewField().bias
