"""What is each modality worth under each fusion? Strategies crossed with all subsets of the modalities.

Protocol: four fusions on every pair and on all modalities, and each modality alone: of three modalities 19
arms. A modality alone is one arm, not four: nothing is fused there, so every strategy gets the same network.
The report's `factors` gives the effect of each fusion and subset, and where they interact.
Cost: 95 runs with five seeds; 29 min on planted `mixed`, 16 on `grid_digits_noisy` (2 CPU cores).
Result: on `mixed` (LOG.md, results/) no pair gains on its better half, all three gain 23
points under `late` and `hierarchical` and nothing under `late_sum`; on digits at -10 dB sight and sound gain
5 to 7 points, score averaging as much, and text adds nothing that could be shown.
Command: mmvideo ablate experiments/fusion_by_subset.py -- --base planted
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, cross, strategies, study_of, subsets
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
    return study_of(
        found.config,
        cross(Axis("fusion", strategies(fusions)), Axis("modalities", subsets(found.config))),
        name=f"{found.name}-fusion-by-subset",
        title=f"Fusion strategies on every subset of the modalities of {found.name}",
    )
