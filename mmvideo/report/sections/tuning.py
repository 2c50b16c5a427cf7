"""What tuning tried for each arm, and what it chose."""

from __future__ import annotations

from mmvideo.evaluation.budgets import budgets
from mmvideo.report.charts import tuning as best_so_far
from mmvideo.report.compare import Comparison
from mmvideo.report.sections import Content
from mmvideo.report.tuning import budget, budget_claims, by_budget
from mmvideo.tuning_record import setting_text

POSITION = 87


def content(comparison: Comparison) -> Content | None:
    tuning = comparison.study.tuning
    if tuning is None:
        return None
    by_arm = [[setting_text(trial.setting) for trial in arm.trials] for arm in tuning.arms]
    shared = [rows[0] if len(set(rows)) == 1 else "each arm's own" for rows in zip(*by_arm, strict=True)]
    values = {
        "tuning": tuning,
        "settings": shared,
        "budget": budget(comparison.study),
        "budgets": budgets(tuning.trials),
        "by_budget": by_budget(comparison.study),
        "claims": budget_claims(comparison.study),
        "told": setting_text,
    }
    plotted = tuning.trials > 1 and best_so_far.points(comparison) != []
    charts = {"best_so_far": best_so_far.chart(comparison)} if plotted else {}
    return Content(values | {"plotted": plotted}, charts)
