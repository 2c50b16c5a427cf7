"""Is a pretrained encoder better frozen or tuned, and does that depend on the fusion?

Protocol: fusions × how much of one modality's pretrained encoder is trained (nothing, its last block, all of
it), and each modality alone, that one at each of these levels; the same clips and budget. What is pretrained
learns at a tenth of the rate of what is not.
Cost: 55 runs with five seeds, two fusions and three modalities; `--dry-run` tells the time once some are
finished. Tuned arms compute the encoder in every step, frozen ones once a clip.
Result: MiniLM on CMU-MOSI's transcripts, `late`, three seeds: 70.9 frozen, 76.1 with its last block
trained, 78.1 whole; text alone 75.5, 76.4, 79.9. Fusion adds nothing that could be shown at any (LOG.md,
which also has visual alone on `ucf101_mini`: a minute an epoch on a processor, not run with fusions).
Command: mmvideo ablate experiments/frozen_or_tuned.py -- --base ucf101_frozen --modality visual
"""

from __future__ import annotations

from mmvideo.errors import InputError
from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, Variants, cross, strategies, study_of
from mmvideo.studies.overrides import with_fields
from mmvideo.studies.study import Study

TRAINED = {"frozen": (True, 0), "last-block": (True, 1), "tuned": (False, 0)}
"""Level → the encoder's `frozen` and `tune.blocks`."""


def study(
    base: str = "ucf101_frozen",
    manifest: str | None = None,
    fusions: tuple[str, ...] = ("late", "hierarchical"),
    modality: str = "visual",
    pretrained_rate: float = 0.1,
) -> Study:
    """Fusions × how much of an encoder is trained.

    Args:
        base: A function of bases.py with a pretrained encoder, or your own, as path/to/file.py:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS, or your own package.module:Class.
        modality: The one whose encoder is tuned.
        pretrained_rate: Learning rate of what is pretrained, as a multiple of that of the rest.
    """
    found = study_base(base, manifest, beside=__file__)
    given = found.config.inputs.get(modality)
    if given is None or "frozen" not in given.encoder.options.model_dump():
        raise InputError(
            f"--modality {modality}: '{base}' has no pretrained encoder for it. Name another modality, or a "
            "base that has one, such as ucf101_frozen."
        )
    options = f"inputs.{modality}.encoder.options"
    levels = {
        level: {f"{options}.frozen": frozen, f"{options}.tune.blocks": blocks}
        for level, (frozen, blocks) in TRAINED.items()
    }
    return study_of(
        with_fields(found.config, {"train.rates.pretrained": pretrained_rate}, "--pretrained-rate"),
        cross(Axis("fusion", strategies(fusions)), Variants("encoder", levels)),
        name=f"{found.name}-{modality}-tuned",
        title=f"How much of the {modality} encoder is trained, on {found.name}",
    )
