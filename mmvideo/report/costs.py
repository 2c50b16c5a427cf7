"""What arms cost, and why some cost much more than others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmvideo.report.runs import ArmRuns

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


def costs_of(arms: Sequence[ArmRuns]) -> dict[str, float]:
    """Each cost of arms that are all needed, mean over seeds; NaN where there is no arm."""
    if not arms:
        return dict.fromkeys(COSTS, np.nan)
    per_arm = pd.DataFrame([{name: _mean(arm, name) for name in COSTS} for arm in arms], dtype=float)
    return {name: float(per_arm[name].agg(how, skipna=False)) for name, how in COSTS.items()}


def step_notes(fusions: Sequence[ArmRuns]) -> tuple[str, ...]:
    """A sentence for every arm whose training step costs more than `COSTLY` times the cheapest arm's."""
    steps = {arm.name: _mean(arm, "step_ms") for arm in fusions}
    if not steps:
        return ()
    cheapest = min(steps, key=lambda name: steps[name])
    least = steps[cheapest]
    return tuple(
        f"{arm.name}: a training step takes {steps[arm.name]:.1f} ms, {steps[arm.name] / least:.1f} times "
        f"that of {cheapest} ({least:.1f} ms). It is spent on: {_spent_on(arm)}."
        for arm in fusions
        if steps[arm.name] > COSTLY * least
    )


def _mean(arm: ArmRuns, cost: str) -> float:
    return float(np.mean([getattr(run.result.costs, cost) for run in arm.runs]))


def _spent_on(arm: ArmRuns) -> str:
    return arm.runs[0].result.step_spent_on or "what its class does not say (`Fusion.cost`)"
