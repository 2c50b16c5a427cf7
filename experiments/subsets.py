"""Which modalities are worth having? One fusion on every subset of the modalities.

Each single modality, each pair, and all: seven arms of three modalities, same clips, encoders and budget.
Command: mmvideo ablate experiments/subsets.py -- --base cmu_mosi_features --fusion late
"""

from __future__ import annotations

from itertools import combinations

from fusion_strategies import base_config

from mmvideo.config import NamedConfig
from mmvideo.studies.study import Arm, Study


def study(base: str = "planted", manifest: str | None = None, fusion: str = "late") -> Study:
    """The subsets of the modalities that the data has.

    Args:
        base: A function of bases.py.
        manifest: The data set's list of clips; the base's own if not given.
        fusion: The strategy for two modalities or more.
    """
    config = base_config(base, manifest)
    arms = []
    for count in range(1, len(config.modalities) + 1):
        for subset in combinations(config.modalities, count):
            named = NamedConfig(name="single" if count == 1 else fusion)
            arm = config.model_copy(update={"modalities": subset, "fusion": named})
            arms.append(Arm("+".join(subset), arm, "control" if count == 1 else "fusion"))
    return Study(
        name=f"{base}-subsets",
        title=f"Subsets of the modalities on {base}, fusion '{fusion}'",
        arms=tuple(arms),
        axes=("fusion", "modalities"),
        seeds=(0, 1, 2, 3, 4),
    )
