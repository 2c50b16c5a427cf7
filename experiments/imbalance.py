"""Does a training objective against modality imbalance help, and does it help every fusion?

Each objective × each fusion, and each modality alone, on the same clips and budget.
Command: mmvideo ablate experiments/imbalance.py -- --base grid_digits
"""

from __future__ import annotations

from fusion_strategies import base_config

from mmvideo.config import NamedConfig
from mmvideo.studies.study import Arm, Study

OBJECTIVES = ("cross_entropy", "unimodal_auxiliary", "gradient_blend", "ogm", "ogm_ge", "mmpareto", "agm")


def study(
    base: str = "grid_digits",
    manifest: str | None = None,
    fusions: tuple[str, ...] = ("late", "hierarchical"),
    objectives: tuple[str, ...] = OBJECTIVES,
) -> Study:
    """Fusions × objectives, with the single modalities as controls.

    Args:
        base: A function of bases.py.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS.
        objectives: Names of mmvideo.components.OBJECTIVES; `cross_entropy` is the plain one.
    """
    config = base_config(base, manifest)
    arms = []
    for fusion in fusions:
        for objective in objectives:
            named = {"fusion": NamedConfig(name=fusion), "objective": NamedConfig(name=objective)}
            arms.append(Arm(f"{fusion}-{objective}", config.model_copy(update=named)))
    single = {"fusion": NamedConfig(name="single")}
    arms += [
        Arm(m, config.model_copy(update={"modalities": (m,), **single}), "control") for m in config.modalities
    ]
    return Study(
        name=f"{base}-imbalance",
        title=f"Objectives against modality imbalance on {base}",
        arms=tuple(arms),
        axes=("fusion", "modalities", "objective"),
        seeds=(0, 1, 2, 3, 4),
    )
