"""Does a training objective against modality imbalance help, and does it help every fusion?

Protocol: each objective × each fusion, and each modality alone, on the same clips and budget.
Cost: 85 runs with five seeds; `--dry-run` tells the time once some are finished.
Result: on `grid_digits` (200 test clips, five seeds) 97.6 to 99.2 %, every adjusted p 1: fusing does not hurt
there, so there is nothing to mend (results/grid_digits-imbalance, LOG.md).
Command: mmvideo ablate experiments/imbalance.py -- --base grid_digits
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, cross, strategies, study_of
from mmvideo.studies.study import Study

OBJECTIVES = ("cross_entropy", "unimodal_auxiliary", "gradient_blend", "ogm", "ogm_ge", "mmpareto", "agm")


def study(
    base: str = "grid_digits",
    manifest: str | None = None,
    fusions: tuple[str, ...] = ("late", "hierarchical"),
    objectives: tuple[str, ...] = OBJECTIVES,
) -> Study:
    """Fusions × objectives, with the single modalities as controls.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS.
        objectives: Names of mmvideo.components.OBJECTIVES; `cross_entropy` is the plain one.
    """
    found = study_base(base, manifest, beside=__file__)
    return study_of(
        found.config,
        cross(Axis("fusion", strategies(fusions)), Axis("objective", objectives)),
        name=f"{found.name}-imbalance",
        title=f"Objectives against modality imbalance on {found.name}",
    )
