"""What arms cost, and why some cost much more than others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmvideo.report.records import Arm

COSTS = {
    "parameters": "sum",
    "trainable_parameters": "sum",
    "flops_per_clip": "sum",
    "train_seconds": "sum",
    "step_ms": "sum",
    "latency_ms": "sum",
    "peak_memory_mb": "max",
}
"""Each cost, and how those of several models that are all needed come together."""

COSTLY = 3.0
"""A step that takes more than this many times the cheapest one's needs a reason."""


def costs_of(arms: Sequence[Arm]) -> dict[str, float]:
    """Each cost of arms that are all needed, mean over seeds; NaN where unknown, or where there is no arm."""
    if not arms:
        return dict.fromkeys(COSTS, np.nan)
    per_arm = pd.DataFrame([{name: _mean(arm, name) for name in COSTS} for arm in arms], dtype=float)
    return {name: float(per_arm[name].agg(how, skipna=False)) for name, how in COSTS.items()}


def step_notes(fusions: Sequence[Arm]) -> tuple[str, ...]:
    """A sentence for every arm whose training step costs more than `COSTLY` times the cheapest arm's."""
    steps = {arm.name: _mean(arm, "step_ms") for arm in fusions}
    timed = [arm for arm in fusions if not np.isnan(steps[arm.name])]
    if not timed:
        return ()
    cheapest = min(timed, key=lambda arm: steps[arm.name]).name
    least = steps[cheapest]
    return tuple(
        f"{arm.name}: a training step takes {steps[arm.name]:.1f} ms, {steps[arm.name] / least:.1f} times "
        f"that of {cheapest} ({least:.1f} ms). It is spent on: {_spent_on(arm)}."
        for arm in timed
        if steps[arm.name] > COSTLY * least
    )


def _mean(arm: Arm, cost: str) -> float:
    return float(np.mean([run.result["costs"].get(cost, np.nan) for run in arm.runs]))


def _spent_on(arm: Arm) -> str:
    return arm.runs[0].result.get("step_spent_on") or "what its class does not say (`Fusion.cost`)"
