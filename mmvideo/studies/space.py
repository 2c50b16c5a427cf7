"""What a tuned comparison tries: a space of settings, and the same draws from it for every arm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmvideo.errors import InputError
from mmvideo.schema import Option
from mmvideo.tuning_record import Setting


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, to two digits; drawn evenly, or with `log` evenly in their
    logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high < math.inf or (self.log and self.low <= 0):
            raise InputError(f"A range to tune goes from less to more, with log above 0; got {self}.")

    def at(self, share: float) -> float:
        """The value that `share` of all draws lie below."""
        if self.log:
            return float(f"{self.low * (self.high / self.low) ** share:.2g}")
        return float(f"{self.low + (self.high - self.low) * share:.2g}")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' * self.log}"


@dataclass(frozen=True)
class Among:
    """A few values, each as likely as the others."""

    values: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("Values to tune among are at least one.")

    def at(self, share: float) -> Option:
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def __str__(self) -> str:
        return " or ".join(str(value) for value in self.values)


Space = Mapping[str, Range | Among]
"""Names → values to try. A name is a field of the configuration (`train.learning_rate`), or that of an option
(`dropout`), which is then set wherever a component has it."""

SPACE: Space = {
    "train.learning_rate": Range(1e-4, 3e-3, log=True),
    "train.weight_decay": Range(0.01, 1.0, log=True),
    "width": Among((64, 128, 256)),
    "dropout": Range(0.0, 0.5),
}
"""What `--tune` tries."""
SEED = 999_983
"""Of the draws, and of trials: no seed that arms are compared on."""


@dataclass(frozen=True)
class Tuning:
    """The budget of each arm: so many settings of the space, each trained once for every tuning seed.

    Raises:
        InputError: fewer than two trials, no seed or nothing to tune.
    """

    trials: int = 8
    space: Space = field(default_factory=lambda: SPACE)
    seeds: tuple[int, ...] = (SEED,)

    def __post_init__(self) -> None:
        if self.trials < 2:
            raise InputError(f"Tuning takes two trials an arm or more, or 0 for none; got {self.trials}.")
        if not self.space or not self.seeds:
            raise InputError("Tuning takes a space with something in it, and a seed.")


def trials(space: Space, count: int, seed: int = SEED) -> list[Setting]:
    """The settings that every arm is tried with: first its own as they are, then scrambled Sobol points.

    With a greater `count` the first ones stay, so that a larger budget reuses the trials of a smaller one.
    """
    from scipy.stats.qmc import Sobol

    drawn = count - 1
    points = Sobol(len(space), rng=seed).random_base2(max(drawn - 1, 0).bit_length())[:drawn]
    return [{}, *({name: space[name].at(share) for name, share in zip(space, point, strict=True)}
                  for point in points.tolist())]  # fmt: skip
