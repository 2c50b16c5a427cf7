"""The words every other module uses, in one order and one spelling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Modality = Literal["visual", "audio", "text"]
Level = Literal["stem", "trunk", "clip"]
Split = Literal["train", "val", "test"]
TaskKind = Literal["single_label", "multi_label", "regression"]

MODALITIES: tuple[Modality, ...] = get_args(Modality)
LEVELS: tuple[Level, ...] = get_args(Level)
SPLITS: tuple[Split, ...] = get_args(Split)
TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)


def presence_pattern(present: Iterable[str]) -> str:
    """`visual+audio`, or `none`: which modalities are there, as records and tables spell it."""
    return "+".join(present) or "none"
