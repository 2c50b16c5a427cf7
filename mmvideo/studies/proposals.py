"""What a tuned arm tries next: the same settings for all arms first, then what its own trials point to.

The first `SHARED` trials are those of `mmvideo.studies.space.trials`. Further ones come, with `tpe`, from
Optuna's tree-structured Parzen estimator (Bergstra et al., Algorithms for Hyper-Parameter Optimization,
2011), in rounds of `ROUND` so that they can be carried out at once. A round depends on the seed and on the
trials before it alone, so a sweep that was interrupted, or is given a larger budget, goes on from its trials
on disk.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmvideo.seeding import derive_seed
from mmvideo.studies.space import SEED, Among, Range, Space, Tuning, trials
from mmvideo.tuning_record import Setting, TrialRow

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

SHARED = 8
"""Trials that are the same for all arms, before TPE has enough to go by."""
ROUND = 4
"""Trials that TPE proposes at once."""


def proposals(tuning: Tuning, rows: Sequence[TrialRow], values: Sequence[float | None]) -> list[Setting]:
    """The settings of an arm's next round; none once the budget is spent.

    Args:
        rows: its trials so far, in their order.
        values: what each is worth, higher is better; None where training failed.
    """
    done = len(rows)
    if tuning.sampler == "sobol":
        return trials(tuning.space, tuning.trials)[done:]
    if done < SHARED:
        return trials(tuning.space, min(SHARED, tuning.trials))[done:]
    count = min(ROUND - (done - SHARED) % ROUND, tuning.trials - done)
    return _from_tpe(tuning.space, rows, values, count) if count > 0 else []


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def of(values: Range | Among) -> BaseDistribution:
        if isinstance(values, Among):
            return CategoricalDistribution(values.values)
        if values.whole:
            return IntDistribution(int(values.low), int(values.high), log=values.log)
        return FloatDistribution(values.low, values.high, log=values.log)

    return {name: of(values) for name, values in space.items()}


def _from_tpe(
    space: Space, rows: Sequence[TrialRow], values: Sequence[float | None], count: int
) -> list[Setting]:
    """What TPE proposes. A trial that failed counts as the worst that was seen, so that it keeps away; the
    first one, the arm as it is, has no place in the space."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=derive_seed(SEED, "tpe", len(rows)) % 2**32,
            n_startup_trials=2,
            multivariate=True,
            constant_liar=True,
        )
    study = optuna.create_study(sampler=sampler, direction="maximize")
    known = [value for value in values if value is not None]
    within = distributions(space)
    for row, value in zip(rows, values, strict=True):
        if row.setting.keys() == within.keys():
            worth = min(known, default=0.0) if value is None or not math.isfinite(value) else value
            params: dict[str, Any] = dict(row.setting)
            study.add_trial(optuna.trial.create_trial(params=params, distributions=within, value=worth))
    asked = [study.ask(within).params for _ in range(count)]
    return [{name: _tried(space[name], value) for name, value in params.items()} for params in asked]


def _tried(values: Range | Among, proposed: Any) -> Any:
    return values.rounded(proposed) if isinstance(values, Range) else proposed
