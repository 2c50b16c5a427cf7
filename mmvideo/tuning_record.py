"""What tuning leaves in study.json: every arm's trials, with validation scores only, and the one chosen."""

from __future__ import annotations

from mmvideo.schema import Option, Part

Setting = dict[str, Option]
"""What a trial changes of its arm's configuration: names of a space → values. Empty: nothing."""


class TrialRow(Part):
    """One trial of an arm: settings, and what validation says of them."""

    setting: Setting
    score: float | None = None
    """The task's score on validation; a mean, where there are several tuning seeds."""
    loss: float | None = None
    """Validation loss of the same epochs."""
    seconds: float = 0.0
    """Of training."""
    reason: str | None = None
    """Why it has no score; None: it has."""


class ArmTuning(Part):
    """An arm's trials in their order; `chosen` is the number of the best, None where all failed."""

    arm: str
    trials: tuple[TrialRow, ...]
    chosen: int | None

    @property
    def failed(self) -> int:
        return sum(trial.reason is not None for trial in self.trials)


class TuningRecord(Part):
    """A study's tuning: the budget, equal for all its arms, and what came of it."""

    trials: int
    """Of each arm."""
    seeds: tuple[int, ...]
    space: dict[str, str]
    """What was tuned, and from where to where, in words."""
    sampler: str = "sobol"
    """`sobol`: the same settings for every arm. `tpe`: from the ninth on each arm's own."""
    arms: tuple[ArmTuning, ...]

    def of(self, arm: str) -> ArmTuning | None:
        return next((found for found in self.arms if found.arm == arm), None)


def choices(record: TuningRecord) -> list[str]:
    """A line an arm: which trial validation chose, its score there, and what it changes."""
    lines = []
    for arm in record.arms:
        if arm.chosen is None:
            lines.append(f"{arm.arm}: all of its trials failed")
            continue
        best = arm.trials[arm.chosen]
        lost = f", {arm.failed} failed" if arm.failed else ""
        lines.append(
            f"{arm.arm}: trial {arm.chosen} of {record.trials}{lost}, {best.score:.3f} on validation: "
            f"{setting_text(best.setting)}"
        )
    return lines


def setting_text(setting: Setting) -> str:
    """`learning_rate 0.0003, width 256`; of trial 0, `as the base has it`."""
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in setting.items()) or (
        "as the base has it"
    )
