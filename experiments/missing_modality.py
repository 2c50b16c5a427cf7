"""What does training with modalities left out do for clips that lack some? Missing at test × in training.

Protocol: fusions × modality dropout in training (none, and 30 % of the clips without a modality, drawn for
each modality), and each modality alone. Missing at test: every run's result.json has the scores with each
subset of the modalities (`test_subsets`), all on the same test clips; the table's are with all that a clip
has.
Cost: 55 runs with five seeds and three modalities; 7 min for three seeds on planted `mixed` (2 CPU cores).
Result: on `mixed`, 3 seeds (LOG.md, results/planted-missing), dropout of 0.3 helps where sight is missing and
costs where nothing is (`hierarchical` 93.2 to 79.3 in the same budget); no effect of it has a verdict.
Command: mmvideo ablate experiments/missing_modality.py -- --base planted
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, cross, strategies, study_of
from mmvideo.studies.study import Study

FUSIONS = ("early", "late", "late_sum", "hierarchical")


def study(
    base: str = "planted",
    manifest: str | None = None,
    fusions: tuple[str, ...] = FUSIONS,
    rates: tuple[float, ...] = (0.0, 0.3),
) -> Study:
    """Fusions × rates of modality dropout.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS, or your own package.module:Class.
        rates: Shares of the training clips that each modality is left out of.
    """
    found = study_base(base, manifest, beside=__file__)
    dropout = {
        f"dropout{rate:g}" if rate else "whole": dict.fromkeys(found.config.modalities, rate) if rate else {}
        for rate in rates
    }
    return study_of(
        found.config,
        cross(Axis("fusion", strategies(fusions)), Axis("train.modality_dropout", dropout, name="training")),
        name=f"{found.name}-missing",
        title=f"Modalities missing in training and at test on {found.name}",
    )
