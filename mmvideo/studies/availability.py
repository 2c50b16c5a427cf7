"""A study whose data or files are not all there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mmvideo.errors import InputError
from mmvideo.schema import files_missing
from mmvideo.studies.study import Arm, Study


def restricted(study: Study, available: Mapping[str, Collection[str]]) -> Study:
    """The study without the modalities that no training clip has; a note in it says so.

    An arm of several modalities loses those that are absent, and goes if fewer than two are left; an arm of
    one that is absent goes. Of arms that become equal one stays: the one that was so before, or the first.

    Args:
        available: for each arm's name, the modalities that at least one training clip has for it.

    Raises:
        InputError: fewer than two modalities are left of a study that has more.
    """
    asked = _ordered(m for arm in study.arms for m in arm.config.modalities)
    left = _ordered(m for arm in study.arms for m in arm.config.modalities if m in available[arm.name])
    if not left or (len(left) < 2 <= len(asked)):
        raise InputError(
            f"{study.manifest}: its training clips have only {', '.join(left) or 'none'} of "
            f"{', '.join(asked)}; fusing takes two modalities"
        )
    taken = [
        arm.config.deciding() for arm in study.arms if set(arm.config.modalities) <= set(available[arm.name])
    ]
    arms: list[Arm] = []
    for arm in study.arms:
        kept = tuple(m for m in arm.config.modalities if m in available[arm.name])
        if kept == arm.config.modalities:
            arms.append(arm)
        elif len(kept) > 1:
            config = arm.config.model_copy(update={"modalities": kept})
            if config.deciding() not in taken:
                taken.append(config.deciding())
                arms.append(replace(arm, config=config))
    if tuple(arms) == study.arms:
        return study
    absent = ", ".join(m for m in asked if m not in left)
    gone = ", ".join(arm.name for arm in study.arms if arm.name not in {one.name for one in arms})
    note = f"No training clip has {absent}: the study goes on without it."
    note += f" These arms go, since nothing of their own is left: {gone}." if gone else ""
    return replace(study, arms=tuple(arms), notes=(*study.notes, note))


def _ordered(modalities: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(modalities))


def refuse_missing(study: Study) -> None:
    """
    Raises:
        InputError: a list of clips, or weights, that an arm names are not there. Neither is read.
    """
    found = dict[str, None]()
    for config in (arm.config for arm in study.arms):
        manifest = Path(config.data.manifest)
        if not manifest.is_file():
            found[f"data.manifest: there is no file {manifest} (`mmvideo prepare` makes it)"] = None
        for name, given in config.active.items():
            for key, path in files_missing(given, f"inputs.{name}."):
                found[f"{key}: there is nothing at {path}"] = None
    if found:
        told = "; ".join(found)
        raise InputError(f"'{study.name}' cannot run yet: {told}. Put it there, or fix the path.")
