"""Which fusion strategy is better, by how much, and is it really fusing?

Protocol: four fusions (early, late, late by adding decisions, hierarchical cross-attention) and each modality
alone, on the same clips, encoders and budget; only the fusion and the modalities differ.
Cost on planted data: 3 min 48 s on 2 idle CPU cores, where data and store are there.
Result: the table in README.md; more in results/ and LOG.md.
Command: make ablation
"""

from __future__ import annotations

from pathlib import Path

from mmvideo.planted import known_limits, planted_task
from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, strategies, study_of
from mmvideo.studies.study import Study

FUSIONS = ("early", "late", "late_sum", "hierarchical")


def study(
    base: str = "planted",
    manifest: str | None = None,
    fusions: tuple[str, ...] = FUSIONS,
    match_parameters: str | None = None,
) -> Study:
    """The study on one data set.

    Args:
        base: A function of bases.py, such as planted, ucf101 or ucf101_gpu; or your own, as
            path/to/file.py:function or package.module:function.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Strategies to compare: names of mmvideo.components.FUSIONS, or your own package.module:Class;
            `all` stands for every registered one.
        match_parameters: The fusion whose number of parameters the others are brought to, within 5 %, by the
            width in which they work; None: each as it comes. Single modalities stay as they are.
    """
    found = study_base(base, manifest, beside=__file__)
    task = planted_task(Path(found.config.data.manifest))
    size = f" of the size of '{match_parameters}'" if match_parameters else ""
    return study_of(
        found.config,
        Axis("fusion", strategies(fusions)),
        name=f"{task or found.name}{'-matched' if match_parameters else ''}",
        title=f"Fusion strategies{size} on {f'planted {task!r}' if task else found.name}",
        seeds=(0, 1, 2),
        limits=known_limits(task) if task else None,
        same_size_as=match_parameters,
    )
