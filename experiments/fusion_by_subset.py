"""What is each modality worth under each fusion? Fusion strategies crossed with all subsets.

Four fusions on every pair and on all modalities, and each modality alone: of three modalities 19 arms. A
modality alone is one arm, not four: nothing is fused there, so every strategy gets the same network.
Command: mmvideo ablate experiments/fusion_by_subset.py -- --base planted
"""

from __future__ import annotations

from dataclasses import replace

from mmvideo.studies.arms import single_modality_arms, subset_arms
from mmvideo.studies.base import study_base
from mmvideo.studies.study import Study

FUSIONS = ("early", "late", "late_sum", "hierarchical")


def study(base: str = "planted", manifest: str | None = None, fusions: tuple[str, ...] = FUSIONS) -> Study:
    """Every fusion on every subset of the modalities that the data has.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Strategies to compare: names of mmvideo.components.FUSIONS, or your own package.module:Class.
    """
    found = study_base(base, manifest, beside=__file__)
    fused = [
        replace(arm, name=f"{fusion.rpartition(':')[2]}-{arm.name}")
        for fusion in fusions
        for arm in subset_arms(found.config, fusion)
        if arm.role == "fusion"
    ]
    return Study(
        name=f"{found.name}-fusion-by-subset",
        title=f"Fusion strategies on every subset of the modalities of {found.name}",
        arms=(*single_modality_arms(found.config), *fused),
        axes=("fusion", "modalities"),
        seeds=(0, 1, 2, 3, 4),
        tuning=found.tuning,
    )
