"""What a clip's label may be: a class, several classes, or a number; and its form as a training target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from mmvideo.vocabulary import TaskKind


def _one_kind(label: Any) -> str | tuple[str, ...] | float:
    """A list as a tuple, a whole number as a float; anything else is refused in one message."""
    if isinstance(label, str) and label:
        return label
    if isinstance(label, list | tuple):
        if all(isinstance(name, str) and name for name in label) and len(set(label)) == len(label):
            return tuple(label)
    elif isinstance(label, int | float) and not isinstance(label, bool) and math.isfinite(label):
        return float(label)
    raise ValueError(
        "must be a non-empty string, a list of different ones (multi-label), or a finite number (regression)"
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
