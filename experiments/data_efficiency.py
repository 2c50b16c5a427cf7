"""Which fusion needs fewer clips? Fusions × the share of the training clips that they learn from.

Protocol: the same test and validation clips for all; training clips are drawn by class, in whole groups, anew
for every seed, and each share holds the smaller ones. Each modality alone at every share. No arm has fewer
than `least_steps` optimisation steps, so that few clips are not also little training; the floors are of all
training clips, so arms on fewer are not held to them.
Cost: 140 runs with five seeds and three modalities; `--dry-run` tells the time once some are finished.
Result: three seeds, planted `mixed` and digits at -10 dB: with a tenth of the clips no fusion is ahead of
the best single modality at that share; with all, `late` is by 23 points on `mixed`, and undecided on digits
(LOG.md).
Command: mmvideo ablate experiments/data_efficiency.py -- --base planted
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, cross, strategies, study_of
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Study

FUSIONS = ("early", "late", "late_sum", "hierarchical")


def study(
    base: str = "planted",
    manifest: str | None = None,
    fusions: tuple[str, ...] = FUSIONS,
    shares: tuple[float, ...] = (1.0, 0.5, 0.25, 0.1),
    least_steps: int = 300,
) -> Study:
    """Fusions × shares of the training clips.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS, or your own package.module:Class.
        shares: Of each class's training clips, above 0 and up to 1.
        least_steps: Optimisation steps that every arm has at least.
    """
    found = study_base(base, manifest, beside=__file__)
    return study_of(
        with_fields(found.config, {"train.least_steps": least_steps}, "--least-steps"),
        cross(Axis("fusion", strategies(fusions)), Axis("data.train_share", shares)),
        name=f"{found.name}-data-efficiency",
        title=f"Fusion strategies by the share of training clips of {found.name}",
    )
