"""Arms that most studies are made of: strategies, each modality alone, subsets of the modalities."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from mmvideo.components import FUSIONS, FusionChoice, ObjectiveChoice
from mmvideo.config import RunConfig
from mmvideo.studies.study import Arm


def with_fusion(config: RunConfig, name: str, **options: Any) -> RunConfig:
    """The configuration with another fusion."""
    return config.model_copy(update={"fusion": FusionChoice.of(name, **options)})


def with_objective(config: RunConfig, name: str, **options: Any) -> RunConfig:
    """The configuration with another training objective."""
    return config.model_copy(update={"objective": ObjectiveChoice.of(name, **options)})


def fusion_names(given: Iterable[str]) -> tuple[str, ...]:
    """The strategies, `all` standing for every registered one.

    Raises:
        InputError: a name that is none, or a class of the user's that cannot be imported.
    """
    names = tuple(given)
    if names == ("all",):
        return tuple(name for name in FUSIONS if name != "single")
    for name in names:
        FUSIONS.resolve(name)
    return names


def fusion_arms(config: RunConfig, names: Iterable[str]) -> list[Arm]:
    """One arm a strategy; a class of the user's goes by its own name."""
    return [Arm(name.rpartition(":")[2], with_fusion(config, name)) for name in fusion_names(names)]


def single_modality_arms(config: RunConfig) -> list[Arm]:
    """The controls that no comparison of fusions goes without: each modality alone."""
    return [_alone(config, modality) for modality in config.modalities]


def subset_arms(config: RunConfig, fusion: str) -> list[Arm]:
    """One arm a subset of the modalities: each alone, as a control, then those that `fusion` fuses."""
    arms = single_modality_arms(config)
    for count in range(2, len(config.modalities) + 1):
        for subset in combinations(config.modalities, count):
            arm = with_fusion(config.model_copy(update={"modalities": subset}), fusion)
            arms.append(Arm("+".join(subset), arm))
    return arms


def _alone(config: RunConfig, modality: str) -> Arm:
    single = config.model_copy(update={"modalities": (modality,)})
    return Arm(modality, with_fusion(single, "single"), "control")
