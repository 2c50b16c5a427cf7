"""Which fusion strategy is better, by how much, and is it really fusing?

Four fusions (early, late, late by adding decisions, hierarchical cross-attention) and each modality alone, on
the same clips, encoders and budget; only the fusion and the modalities differ.

Cost on planted data: 10 min 18 s on 2 CPU cores, data and store included.
Expected numbers: the table in README.md.
Command: make ablation
"""

from __future__ import annotations

from pathlib import Path

import bases

from mmvideo.components import FUSIONS as FUSION_TABLE
from mmvideo.components import resolve
from mmvideo.config import NamedConfig, RunConfig
from mmvideo.data.run_data import open_data
from mmvideo.errors import InputError, unknown
from mmvideo.planted import limits, planted_task
from mmvideo.studies import parity
from mmvideo.studies.study import Arm, Study

FUSIONS = ("early", "late", "late_sum", "hierarchical")


def study(
    base: str = "planted",
    manifest: str | None = None,
    fusions: tuple[str, ...] = FUSIONS,
    match_parameters: str = "",
) -> Study:
    """The study on one data set.

    Args:
        base: A function of bases.py, such as planted, ucf101 or ucf101_gpu.
        manifest: The data set's list of clips; the base's own if not given.
        fusions: Strategies to compare: names of mmvideo.components.FUSIONS, or your own package.module:Class;
            `all` stands for every registered one.
        match_parameters: The fusion whose number of parameters the others are brought to, within 5 %, by the
            width in which they work; none: each as it comes. Single modalities stay as they are.
    """
    if fusions == ("all",):
        fusions = tuple(name for name in FUSION_TABLE if name != "single")
    for name in fusions:
        resolve(FUSION_TABLE, "fusion", name)  # a wrong name ends here, not after decoding
    config = base_config(base, manifest)
    task = planted_task(Path(config.data.manifest))
    arms = [
        Arm(name.rpartition(":")[2], config.model_copy(update={"fusion": NamedConfig(name=name)}))
        for name in fusions
    ]
    if match_parameters:
        arms = parity.match_parameters(arms, match_parameters)
    single = {"fusion": NamedConfig(name="single")}
    arms += [
        Arm(m, config.model_copy(update={"modalities": (m,), **single}), "control") for m in config.modalities
    ]
    size = f" of the size of '{match_parameters}'" if match_parameters else ""
    return Study(
        name=f"{task or base}{'-matched' if match_parameters else ''}",
        title=f"Fusion strategies{size} on {f'planted {task!r}' if task else base}",
        arms=tuple(arms),
        axes=("fusion", "modalities", *(("fusion_width",) if match_parameters else ())),
        seeds=(0, 1, 2),
        limits=known_limits(task) if task else None,
    )


def base_config(base: str, manifest: str | None) -> RunConfig:
    """The named function of bases.py, on the given clips, with the modalities that these have.

    Raises:
        InputError: no such function, or clips with fewer than two modalities.
    """
    known = {
        name: make
        for name, make in vars(bases).items()
        if callable(make) and make.__module__ == bases.__name__
    }
    if base not in known:
        raise unknown("base configuration", base, known)
    config = known[base](manifest) if manifest else known[base]()
    modalities = open_data(config.data, progress=True).for_run(config).modalities()
    if len(modalities) < 2:
        raise InputError(
            f"{config.data.manifest}: its training clips have only {', '.join(modalities)}; "
            "fusing takes two modalities"
        )
    return config.model_copy(update={"modalities": modalities})


def known_limits(task: str) -> dict:
    """A planted task's limits, as a study records them."""
    known = limits(task)
    additive = {"cross_entropy": known.additive_converged, "ceiling": known.additive_ceiling}
    return {"task": task, "bayes": dict(known.bayes), "additive": additive}
