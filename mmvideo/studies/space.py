"""What a tuned comparison tries: a space of settings, and the same draws from it for every arm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmvideo.errors import InputError
from mmvideo.schema import Option
from mmvideo.tuning_record import Setting

Sampler = Literal["sobol", "tpe"]


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, to two digits, or with `whole` whole ones; drawn evenly, or with
    `log` evenly in their logarithm."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf or (self.log and self.low <= 0):
            raise InputError(f"A range to tune goes from less to more, with log above 0; got {self}.")
        if self.whole and (self.low % 1 or self.high % 1):
            raise InputError(f"A range of whole numbers has whole ends; got {self}.")

    @property
    def extremes(self) -> tuple[Option, ...]:
        """The values between which all others lie."""
        return self.at(0.0), self.at(1.0)

    def at(self, share: float) -> float:
        """The value that `share` of all draws lie below."""
        if self.log:
            return self.rounded(self.low * (self.high / self.low) ** share)
        return self.rounded(self.low + (self.high - self.low) * share)

    def rounded(self, value: float) -> float:
        """The nearest number that is tried."""
        if self.whole:
            return round(value)
        return min(max(float(f"{value:.2g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', whole' * self.whole}{', log' * self.log}"


@dataclass(frozen=True)
class Among:
    """A few values, each as likely as the others."""

    values: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("Values to tune among are at least one.")

    @property
    def extremes(self) -> tuple[Option, ...]:
        """All values: none lies between others."""
        return self.values

    def at(self, share: float) -> Option:
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def __str__(self) -> str:
        return " or ".join(str(value) for value in self.values)


def values_from(text: str) -> Range | Among:
    """What to try, as a command line says it: `1e-4..1e-2`, `log:1e-4..1e-2`, `2..6` (whole), `64,128,256`.

    Raises:
        InputError: it is none of these.
    """
    log, given = text.startswith("log:"), text.removeprefix("log:")
    low, dots, high = given.partition("..")
    if not dots:
        if log or not given:
            raise InputError(f"Values to try are LOW..HIGH, log:LOW..HIGH or A,B,C; got '{text}'.")
        return Among(tuple(_value(word) for word in given.split(",")))
    ends = _value(low), _value(high)
    if any(isinstance(end, bool | str) for end in ends):
        raise InputError(f"A range to try has numbers as ends, as in 1e-4..1e-2; got '{text}'.")
    return Range(float(ends[0]), float(ends[1]), log, whole=all(isinstance(end, int) for end in ends))


def _value(word: str) -> Option:
    try:
        found = json.loads(word)
    except ValueError:
        return word
    return found if isinstance(found, Option) else word


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
    sampler: Sampler = "sobol"
    """`sobol`: the same settings for every arm. `tpe`: after the first ones, which are the same, each arm's
    own, by what its trials so far scored on validation (see `mmvideo.studies.proposals`)."""

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
