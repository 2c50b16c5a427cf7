"""The best of an arm's trials on validation, after all of them and after fewer."""

from __future__ import annotations

from collections.abc import Sequence

from mmvideo.evaluation.tasks import Task
from mmvideo.tuning_record import TrialRow


def choose(rows: Sequence[TrialRow], task: Task, select: str) -> int | None:
    """The number of the best trial by what `train.select` chooses an epoch by: the validation score and,
    where that ties, the loss; or with `loss` that alone. Of equal ones the earlier; None, if none has a
    score."""

    def rank(number: int) -> tuple[float, float]:
        row = rows[number]
        assert row.loss is not None
        score = worth(row, task, select)
        assert score is not None
        return (score, -row.loss)

    return max((n for n, row in enumerate(rows) if row.reason is None), key=rank, default=None)


def worth(row: TrialRow, task: Task, select: str) -> float | None:
    """What a trial is chosen by, higher is better; None where it failed."""
    if row.score is None or row.loss is None:
        return None
    if select == "loss":
        return -row.loss
    return row.score if task.higher_is_better else -row.score


def budgets(trials: int) -> tuple[int, ...]:
    """1, 2, 4 and so on, and all."""
    doubled = [2**n for n in range(trials.bit_length()) if 2**n < trials]
    return (*doubled, trials)
