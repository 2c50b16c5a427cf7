"""A tuned study as files for `wandb sweep`: the same space and the same number of trials for each arm.

What `wandb agent` starts is one trial of `mmvideo sweep`, which is blind to the test split and tells the
dashboard its validation score. Choosing and retraining the winners is left to `mmvideo sweep` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import make_folder, write_whole
from mmvideo.studies.space import Among, Range, Space
from mmvideo.studies.study import Arm, Study


def write_sweeps(study: Study, folder: Path, command: Sequence[str], own: Sequence[str]) -> list[Path]:
    """One file an arm, `<study>-<arm>.yaml`.

    Args:
        command: `mmvideo sweep STUDY …`, without options that a trial has no use for.
        own: the study's own options, behind `--`.

    Raises:
        InputError: the folder cannot be written to.
    """
    import yaml

    make_folder(folder, "--export")
    written = []
    for arm in study.arms:
        text = yaml.safe_dump(sweep_of(study, arm, command, own), sort_keys=False, allow_unicode=True)
        written.append(folder / f"{study.name}-{arm.name}.yaml")
        write_whole(written[-1], text)
    return written


def sweep_of(study: Study, arm: Arm, command: Sequence[str], own: Sequence[str]) -> dict[str, Any]:
    """What W&B calls a sweep configuration, of one arm."""
    assert study.tuning is not None
    task = TASKS[arm.config.data.task]
    one = ["${env}", *command, "--arm", arm.name, "--try", "${args_no_hyphens}"]
    return {
        "name": f"{study.name}/{arm.name}",
        "project": arm.config.tracking.project,
        "method": "bayes",
        "metric": {
            "name": f"val/{task.score}",
            "goal": "maximize" if task.higher_is_better else "minimize",
        },
        "run_cap": study.tuning.trials,
        "parameters": parameters(study.tuning.space),
        "command": [*one, *(["--", *own] if own else [])],
    }


def parameters(space: Space) -> dict[str, dict[str, Any]]:
    """The space in W&B's words."""
    return {name: _parameter(values) for name, values in space.items()}


def _parameter(values: Range | Among) -> dict[str, Any]:
    if isinstance(values, Among):
        return {"values": list(values.values)}
    if not values.whole:
        kind = "log_uniform_values" if values.log else "uniform"
        return {"distribution": kind, "min": values.low, "max": values.high}
    ends = {"min": int(values.low), "max": int(values.high)}
    if values.log:
        return {"distribution": "q_log_uniform_values", "q": 1, **ends}
    return {"distribution": "int_uniform", **ends}
