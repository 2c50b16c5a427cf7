"""Which configuration keys two runs differ in, beside those a study declares as its axes.

A comparison answers a question about its axes only if nothing else differs. Studies and reports ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmvideo.errors import unknown

_ABSENT = object()


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with dotted keys: `{"train": {"epochs": 3}}` → `{"train.epochs": 3}`."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def check_axes(axes: Iterable[str], configurations: Iterable[Mapping[str, Any]]) -> None:
    """Each axis must name a configuration key or a section of it, such as `fusion` or `train.learning_rate`.

    Args:
        configurations: those that the axes are of; inputs of one's own names and options stand only there.

    Raises:
        InputError: an axis that is neither; the message lists the sections and keys there are.
    """
    keys = {key for configuration in configurations for key in flatten(configuration)}
    known = {key.rsplit(".", depth)[0] for key in keys for depth in range(key.count(".") + 1)}
    for axis in axes:
        if axis not in known:
            raise unknown("axis", axis, known)


def differing_keys(a: Mapping[str, Any], b: Mapping[str, Any], axes: Iterable[str]) -> list[str]:
    """Keys that differ between two deciding parts (see `RunConfig.deciding`) and lie under no axis. The seed
    never counts.

    The axis `modalities` also covers an input's section that stands on one side only: what is not read drops
    out of the configuration. Inputs on both sides must agree.

    Args:
        axes: keys or sections, such as `("fusion", "modalities")`; a section covers all keys in it.

    Returns:
        Dotted keys, sorted; empty if the two may stand in one comparison.
    """
    covered = {"seed", *axes}
    if "modalities" in covered:
        covered |= {f"inputs.{name}" for name in set(a["modalities"]) ^ set(b["modalities"])}
    left, right = flatten(a), flatten(b)
    keys = left.keys() | right.keys()
    differing = (key for key in keys if left.get(key, _ABSENT) != right.get(key, _ABSENT))
    return sorted(key for key in differing if not any(key == c or key.startswith(f"{c}.") for c in covered))
