"""The states of studies as the page shows them: plain text and numbers, which become JSON."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.tasks import TASKS
from mmvideo.report.charts.so_far import chart
from mmvideo.report.charts.theme import specification
from mmvideo.report.dashboard.intervals import ArmSoFar
from mmvideo.report.dashboard.runs import RunState
from mmvideo.report.dashboard.studies import NO_RECORD, PAGE, StudyState, leader_so_far, reported_leader

STATES = {
    "training": "training", "unclear": "training elsewhere, or just ended", "failed": "failed",
    "damaged": "damaged", "stopped": "stopped", "waiting": "waiting", "finished": "finished",
}  # fmt: skip
"""Each state of a run in words, in the order in which a list has them."""


def study_row(state: StudyState, reports: Path) -> dict[str, Any]:
    """A study's line in the list of all."""
    counts = state.counts
    broken = counts.get("failed", 0) + counts.get("damaged", 0)
    report = state.report
    return {
        "name": state.folder.name,
        "title": state.record.title if state.record else "",
        "state": _state(state),
        "trouble": " ".join(filter(None, [state.trouble, report if isinstance(report, str) else ""])),
        "total": len(state.runs),
        "finished": counts.get("finished", 0),
        "failed": broken,
        "left": _left(state),
        "page": f"reports/{state.folder.name}/{PAGE}"
        if (reports / state.folder.name / PAGE).is_file()
        else "",
        **_leader(state),
    }


def study_detail(
    state: StudyState, row: dict[str, Any], arms: list[ArmSoFar], troubles: list[str]
) -> dict[str, Any]:
    """All that is shown of the study that is open."""
    task = next((TASKS[run.glance.task] for run in state.runs if run.glance), None)
    shown = [(arm.arm, arm.role, arm.steps) for arm in arms if arm.steps]
    runs = sorted(state.runs, key=lambda run: list(STATES).index(run.state))
    return {
        **row,
        "notes": [*(state.record.notes if state.record else ()), *troubles],
        "axis": task.display.axis if task else "score",
        "arms": [_arm(arm, task.display) for arm in arms] if task else [],
        "chart": specification(chart(shown, task.display)) if task and shown else None,
        "runs": [_run(run) for run in runs if run.state not in ("finished", "waiting")],
        "waiting": state.counts.get("waiting", 0),
    }


def _state(state: StudyState) -> str:
    counts = state.counts
    if state.record is None:
        return "no study" if state.trouble == NO_RECORD else "not readable"
    if counts.get("training"):
        return "running"
    if counts.get("unclear"):
        return "just ended, or elsewhere"
    if counts.get("finished", 0) == len(state.runs):
        return "finished"
    if counts.get("failed") or counts.get("damaged"):
        return "failed"
    return "stopped" if counts.keys() & {"stopped", "finished"} else "waiting"


def _left(state: StudyState) -> str:
    seconds = state.seconds_left
    if seconds is None:
        return "unknown until the first run"
    if not seconds:
        return ""
    at_once = max(1, state.counts.get("training", 0) + state.counts.get("unclear", 0))
    return f"about {_duration(seconds)}" + (f", {at_once} at once" if at_once > 1 else "")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _leader(state: StudyState) -> dict[str, str]:
    """What the report says; before there is one, what validation picks so far, without a verdict."""
    found = {"leader": "", "score": "", "gain": "", "against": "", "verdict": "", "answer": "", "basis": ""}
    report = state.report
    if report is not None and not isinstance(report, str):
        found |= {"answer": report.answer, "basis": "the report"}
        if state.report_is_older:
            found["basis"] = "the report, which is older than the newest run"
        elif report.missing_runs:
            found["basis"] = f"a report without {len(report.missing_runs)} runs"
        row = reported_leader(report)
        if row is None:
            return found
        task = TASKS[report.task]
        found |= {"leader": str(row["arm"]), "verdict": str(row.get("verdict") or "")}
        found["score"] = interval_text(task.display, row.get(task.score), row.get("low"), row.get("high"))
        if row.get("difference") is not None:
            size = [row.get(f"difference{end}") for end in ("", "_low", "_high")]
            found |= {"gain": _change(task.display, *size), "against": f"against {report.best_unimodal}"}
        return found
    picked = leader_so_far(state)
    if picked is not None:
        arm, runs = picked
        task = TASKS[runs[0].task]
        score = mean(run.test.get(task.score, float("nan")) for run in runs)
        found |= {"leader": arm, "score": f"{task.display.value(score)}{task.display.unit}"}
        found["basis"] = f"{len(runs)} of {len(state.record.seeds) if state.record else 0} seeds so far"
    return found


def _change(display: MetricDisplay, middle: Any, low: Any, high: Any) -> str:
    return f"{display.change(middle)}{display.change_unit} [{display.value(low)}, {display.value(high)}]"


def interval_text(display: MetricDisplay, middle: Any, low: Any, high: Any) -> str:
    """`84.2 % [80.1, 87.3]`."""
    return f"{display.value(middle)}{display.unit} [{display.value(low)}, {display.value(high)}]"


def _arm(arm: ArmSoFar, display: MetricDisplay) -> dict[str, Any]:
    now = arm.now
    return {
        "arm": arm.arm,
        "role": arm.role,
        "seeds": f"{now.n_seeds if now else 0} of {arm.wanted}",
        "score": "–" if now is None else interval_text(display, now.mean, now.low, now.high),
        "over": "" if now is None else f"{'' if now.clips_only else 'seeds and '}{arm.over}",
    }


def _run(run: RunState) -> dict[str, Any]:
    epoch = f"epoch {run.epoch} of {run.epochs}" if run.epochs else ""
    return {
        "arm": run.arm,
        "seed": run.seed,
        "state": STATES[run.state],
        "kind": run.state,
        "epoch": epoch,
        "share": round(run.share, 3),
        "reason": run.reason,
    }
