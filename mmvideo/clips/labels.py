"""What a clip's label may be: a class, several classes, or a number; and its form as a training target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from mmvideo.clips.names import printable, tidy
from mmvideo.vocabulary import TaskKind

LARGEST = 1e18
"""What a number as a label lies below: its square still fits the 32 bits a model is trained in."""


def _one_kind(label: Any) -> str | tuple[str, ...] | float:
    """Names tidied, a list as a tuple, a whole number as a float; else refused in one message."""
    if isinstance(label, str):
        if name := printable(tidy(label)):
            return name
    elif isinstance(label, list | tuple):
        if all(isinstance(name, str) for name in label):
            names = tuple(printable(tidy(name)) for name in label)
            if all(names) and len(set(names)) == len(names):
                return names
    elif isinstance(label, int | float) and not isinstance(label, bool) and abs(label) < LARGEST:
        return float(label)
    raise ValueError(
        "must be a non-empty string, a list of different ones (multi-label), or a finite number (regression) "
        f"below {LARGEST:g}"
    )


Label = Annotated[str | tuple[str, ...] | float, BeforeValidator(_one_kind)]
Target = int | float | tuple[float, ...]
"""A class's index; 0 or 1 for each class (multi-label); or a number (regression)."""


def task_of(label: str | tuple[str, ...] | float) -> TaskKind:
    """The task that a label of this kind belongs to."""
    if isinstance(label, str):
        return "single_label"
    return "multi_label" if isinstance(label, tuple) else "regression"


def classes_of(label: str | tuple[str, ...] | float) -> tuple[str, ...]:
    """The classes a label names; none where it is a number."""
    if isinstance(label, str):
        return (label,)
    return label if isinstance(label, tuple) else ()


def target(label: str | tuple[str, ...] | float, index: Mapping[str, int]) -> Target:
    """The label as a model is trained on it.

    Args:
        index: class → its place among the outputs, in order.
    """
    if isinstance(label, tuple):
        return tuple(float(name in label) for name in index)
    return index[label] if isinstance(label, str) else label
