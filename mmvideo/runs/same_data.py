"""Arms and trials of a study read the same data, decoded in the same way; told before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmvideo.config import RunConfig
from mmvideo.errors import InputError

TO_COMPARE = (
    "Arms are compared clip by clip on the same data. Give it one value (--set), or make a study of each."
)


def refuse_other_decoding(study: str, arms: Sequence[tuple[str, RunConfig]]) -> None:
    """
    Args:
        arms: names and configurations.

    Raises:
        InputError: two arms decode clips in other ways, such as at another sample rate; the message names the
            settings.
    """
    (first, config), *others = arms
    for name, other in others:
        if differ := _differing(config, other):
            told = ", ".join(
                f"{key} ({ours} in '{first}', {theirs} in '{name}')" for key, ours, theirs in differ
            )
            raise InputError(f"Arms of '{study}' decode their clips differently: {told}. {TO_COMPARE}")


def refuse_decoding_by(name: str, value: object, before: RunConfig, after: RunConfig) -> None:
    """
    Args:
        name: a field that is tuned.
        value: one that is tried.
        before, after: an arm as it is, and with that value.

    Raises:
        InputError: the value has clips decoded in another way.
    """
    if differ := _differing(before, after):
        told = ", ".join(f"{key} {theirs} in place of {ours}" for key, ours, theirs in differ)
        raise InputError(
            f"'{name}' is not tuned: {value} has clips decoded in another way ({told}), so its trials would "
            f"be of other data. {TO_COMPARE}"
        )


def _differing(a: RunConfig, b: RunConfig) -> list[tuple[str, Any, Any]]:
    """Which settings of the store differ. Models' files are read only where models differ; what cannot be
    read is told by whoever opens the data."""
    if _at_hand(a) == _at_hand(b):
        return []
    from mmvideo.data.opened import store_settings  # from here on it takes seconds

    try:
        ours, theirs = (store_settings(config).deciding for config in (a, b))
    except InputError:
        return []
    keys = dict.fromkeys([*ours, *theirs])
    return [(key, ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)]


def _at_hand(config: RunConfig) -> list[Any]:
    """What the settings follow from, as far as no file is read."""
    found: list[Any] = [config.data.frame_rate]
    for name, given in config.inputs.items():
        if getattr(given.needs, "of_model", None) is None:
            kept = given.component.store_settings(given.options, given.needs)
        else:
            kept = {"model": getattr(given.encoder.options, "model", None)}
        found.append((name, kept))
    return found
