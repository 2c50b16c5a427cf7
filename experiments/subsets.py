"""Which modalities are worth having? One fusion on every subset of the modalities.

Protocol: each single modality, each pair, and all: seven arms of three modalities, on the same clips,
encoders and budget.
Cost: 35 runs with five seeds; `--dry-run` tells the time once some are finished.
Result: on CMU-MOSI features, results/cmu_mosi_features-subsets and LOG.md.
Command: mmvideo ablate experiments/subsets.py -- --base cmu_mosi_features --fusion late
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, study_of, subsets
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Study


def study(base: str = "planted", manifest: str | None = None, fusion: str = "late") -> Study:
    """The subsets of the modalities that the data has.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusion: The strategy for two modalities or more.
    """
    found = study_base(base, manifest, beside=__file__)
    return study_of(
        with_fields(found.config, {"fusion": fusion}, f"--fusion {fusion}"),
        Axis("modalities", subsets(found.config)),
        name=f"{found.name}-subsets",
        title=f"Subsets of the modalities on {found.name}, fusion '{fusion}'",
    )
