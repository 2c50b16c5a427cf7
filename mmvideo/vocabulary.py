"""The words every other module uses, in one order and one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

Level = Literal["stem", "trunk", "clip"]
Split = Literal["train", "val", "test"]
TaskKind = Literal["single_label", "multi_label", "regression"]

MODALITIES = ("visual", "audio", "text")
"""The modalities that video has, in the order in which all tables have them; any of a user's own come
after."""
LEVELS: tuple[Level, ...] = get_args(Level)
SPLITS: tuple[Split, ...] = get_args(Split)
TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)
OF_FUSING = ("fusion", "fusion_width", "modalities", "objective", "train.modality_dropout")
"""Fields, and sections, that say how modalities are put together. Controls, which have one, stay as the base
is in them; they go along with every other axis."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Modalities in their order, each once: visual, audio, text, then the others as they come."""
    given = tuple(dict.fromkeys(names))
    return tuple(m for m in MODALITIES if m in given) + tuple(m for m in given if m not in MODALITIES)


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 clip`, `1,200 clips`; `many` where it is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def agreed(count: int, many: str) -> str:
    """`2 videos on disk are in no list`, and of one `1 video on disk is in no list`.

    Args:
        many: the words that follow the number, in the plural: what is counted is the first that ends in s.
    """
    if count != 1:
        return f"{count:,} {many}"
    one = re.sub(r"(sse|)s\b", lambda found: "ss" if found[1] else "", many, count=1)
    verbs = {"are": "is", "have": "has", "were": "was", "hold": "holds"}
    return "1 " + re.sub(rf"\b({'|'.join(verbs)})\b", lambda found: verbs[found[1]], one)


def first_of(names: Sequence[str], most: int = 6) -> str:
    """`a, b, c`; of more than `most`, the first of them, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def presence_pattern(names: Iterable[str]) -> str:
    """`visual+audio`: what a set of modalities, given in order, is called in records and on the command
    line."""
    return "+".join(names) or "none"
