"""Does the best fusion depend on the encoders? Fusions × visual encoders × audio encoders.

Protocol: every combination, and each modality alone with each of its encoders; the same clips and budget. The
base's own encoder keeps its options, others have their defaults. Encoders that need clips stored at another
size or rate are refused, since runs would not read the same data.
Cost: 65 runs with five seeds, two fusions and two encoders each; `--dry-run` tells the time once some are
finished.
Result: three seeds, planted `mixed` and digits at -10 dB: no fusion is told apart from another, whatever
the encoders under it. While MFCC were pooled by attention, `late` lost 23 points on them and hierarchical
none (LOG.md).
Command: mmvideo ablate experiments/encoders_by_fusion.py -- --base planted
"""

from __future__ import annotations

from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, cross, strategies, study_of
from mmvideo.studies.study import Study


def study(
    base: str = "planted",
    manifest: str | None = None,
    fusions: tuple[str, ...] = ("late", "hierarchical"),
    visual: tuple[str, ...] = ("cnn_lstm", "pixels"),
    audio: tuple[str, ...] = ("spectrogram_cnn", "mfcc"),
) -> Study:
    """Fusions × encoders.

    Args:
        base: A function of bases.py, or your own, as path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Names of mmvideo.components.FUSIONS, or your own package.module:Class.
        visual: Encoders of the visual modality (`mmvideo encoders` lists them).
        audio: Encoders of the audio.
    """
    found = study_base(base, manifest, beside=__file__)
    return study_of(
        found.config,
        cross(
            Axis("fusion", strategies(fusions)),
            Axis("inputs.visual.encoder", visual, name="visual"),
            Axis("inputs.audio.encoder", audio, name="audio"),
        ),
        name=f"{found.name}-encoders-by-fusion",
        title=f"Fusion strategies × encoders on {found.name}",
    )
