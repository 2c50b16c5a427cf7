"""How often intervals, verdicts and plans are wrong, by simulation of whole studies.

A clip is right when a latent normal score is positive: base + seed + group + clip + arm's own group and clip
effects + noise. All arms share the group's and clip's difficulty; the truth follows from the normal law.
`seed sd` is the arm's seed effect in units of the noise: 0.1 moves a run's accuracy by about 2 points (1 sd),
0.5 by about 10. Three arms are compared with a fourth, as fusions are with the best single modality.

- `errors`: false positives where all four have the same accuracy (66 %): of one comparison, of the family by
  max-t and by Holm; coverage of the family's intervals where three are 10 points above the fourth, and by how
  many of the three this is found; how often any is called equivalent within those 10 points; coverage of one
  comparison by alternatives: Satterthwaite's t, and the pigeonhole bootstrap.
- `power`: as planned and as found, of each comparison of the three, for an effect about as large as the
  design is said to detect in 80 %.

    python experiments/design_errors.py --repeats 1000 --out experiments/results/design_errors

The result is in docs/numbers.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats

from mmvideo.evaluation.design import power, smallest_detectable
from mmvideo.evaluation.pigeonhole import pigeonhole_interval
from mmvideo.evaluation.simultaneous import compare_family
from mmvideo.evaluation.spread import Spread
from mmvideo.evaluation.statistics import PairedComparison

GROUP, CLIP, ARM_GROUP, ARM_CLIP, NOISE = 0.6, 0.8, 0.4, 0.4, 1.0
LEAST, GAIN = 0.655, 0.1
"""The fourth arm's accuracy, and what the others have more where they have more."""
PAIRS = ((1, 0), (2, 0), (3, 0))
CLIPS = ((1, 35), (1, 400), (8, 50))
"""Clips a group, groups."""
SEED_SDS = (0.0, 0.1, 0.5)
SEEDS = (2, 3, 5, 10)
PILOT_SEEDS = 20


def simulate(
    rng: np.random.Generator, gains: Sequence[float], n_seeds: int, group_of: ndarray, seed_sd: float
) -> ndarray:
    """Correctness (K, S, n) of arms whose accuracy exceeds `LEAST` by these gains."""
    n_arms, n_groups, n_clips = len(gains), int(group_of.max()) + 1, len(group_of)
    difficulty = rng.normal(0, GROUP, n_groups)[group_of] + rng.normal(0, CLIP, n_clips)
    own = rng.normal(0, ARM_GROUP, (n_arms, 1, n_groups))[:, :, group_of]
    own = own + rng.normal(0, ARM_CLIP, (n_arms, 1, n_clips))
    seed = rng.normal(0, seed_sd / 2, (n_seeds, 1)) + rng.normal(0, seed_sd, (n_arms, n_seeds, 1))
    variance = 1.25 * seed_sd**2 + GROUP**2 + CLIP**2 + ARM_GROUP**2 + ARM_CLIP**2 + NOISE**2
    base = stats.norm.ppf(LEAST + np.array(gains)) * np.sqrt(variance)
    noise = rng.normal(0, NOISE, (n_arms, n_seeds, n_clips))
    right: ndarray = base[:, None, None] + seed + difficulty + own + noise > 0
    return right


def studies(
    rng: np.random.Generator, repeats: int, gain: float, n_seeds: int, group_of: ndarray, seed_sd: float
) -> Iterator[tuple[ndarray, list[PairedComparison]]]:
    """Scores of simulated studies, and what the report makes of them."""
    for _ in range(repeats):
        scores = simulate(rng, (0.0, gain, gain, gain), n_seeds, group_of, seed_sd)
        yield scores, compare_family(scores, PAIRS, group_of, margin=GAIN)


def found(family: list[PairedComparison]) -> ndarray:
    """Which intervals of the family leave out 0."""
    return np.array([not test.low <= 0 <= test.high for test in family])


def found_by_holm(family: list[PairedComparison]) -> ndarray:
    """The same by Holm's step-down adjustment (1979) of each comparison's own interval."""
    rejected = np.zeros(len(family), dtype=bool)
    while not rejected.all():
        alpha = 0.05 / (~rejected).sum()
        more = np.array([abs(test.difference) > test.spread.half_width(alpha) for test in family]) | rejected
        if (more == rejected).all():
            break
        rejected = more
    return rejected


def satterthwaite(spread: Spread) -> float:
    """Half the interval by one t quantile, on Satterthwaite's degrees of freedom."""
    variance = max(spread.seeds + spread.groups, spread.clips_alone)
    parts = spread.seeds**2 / (spread.n_seeds - 1) + spread.groups**2 / spread.group_df
    return float(stats.t.ppf(0.975, variance**2 / max(parts, 1e-12)) * np.sqrt(variance))


def errors(
    rng: np.random.Generator, repeats: int, n_seeds: int, group_of: ndarray, seed_sd: float
) -> dict[str, float]:
    """Shares, in percent, of one design."""
    rates: dict[str, list[float]] = {}

    def note(**values: float | np.bool_) -> None:
        for name, value in values.items():
            rates.setdefault(name, []).append(100 * float(value))

    for _, family in studies(rng, repeats, 0.0, n_seeds, group_of, seed_sd):
        test = family[0]
        note(one=abs(test.difference) > test.spread.half_width(0.05))
        note(max_t=found(family).any(), holm=found_by_holm(family).any())
    for scores, family in studies(rng, repeats, GAIN, n_seeds, group_of, seed_sd):
        note(coverage=all(test.low <= GAIN <= test.high for test in family))
        note(found_max_t=found(family).mean(), found_holm=found_by_holm(family).mean())
        note(equivalent=any(test.equivalent for test in family))
        note(satterthwaite=abs(family[0].difference - GAIN) <= satterthwaite(family[0].spread))
        low, high = pigeonhole_interval(scores[1] * 1.0 - scores[0], group_of, draws=200)
        note(pigeonhole=low <= GAIN <= high)
    return {name: float(np.mean(values)) for name, values in rates.items()}


def power_kept(
    rng: np.random.Generator, repeats: int, n_seeds: int, group_of: ndarray, seed_sd: float
) -> dict[str, float]:
    """Power as planned and as found, for about the effect that the design detects in 80 %.

    The parts of the variance are known from many studies of many seeds with the same effect.
    """

    def planned(gain: float) -> Spread:
        many = studies(rng, repeats // 5, gain, PILOT_SEEDS, group_of, seed_sd)
        spreads = [test.spread for _, family in many for test in family]
        seeds, groups, interaction = np.mean([[s.seeds, s.groups, s.interaction] for s in spreads], axis=0)
        return replace(spreads[0], seeds=seeds, groups=groups, interaction=interaction).planned(n_seeds)

    gain, alpha = GAIN, 0.021
    for _ in range(2):  # the parts depend on the effect
        gain = smallest_detectable(planned(gain), alpha)
        if LEAST + gain > 0.97:  # no accuracy can be so much higher
            return {}
    design = planned(gain)
    again = [family for _, family in studies(rng, repeats, gain, n_seeds, group_of, seed_sd)]
    alpha = float(np.mean([family[0].levels.alpha for family in again]))
    rate = float(np.mean([found(family) for family in again]))
    return {"effect": 100 * gain, "planned": 100 * power(design, gain, alpha), "found": 100 * rate}


def main() -> None:
    """Print both tables row by row, and write them."""
    parser = argparse.ArgumentParser(description="Errors of intervals, verdicts and plans, by simulation")
    parser.add_argument("--repeats", type=int, default=1000, help="simulated studies per design")
    parser.add_argument("--out", type=Path, help="folder for errors.csv and power.csv")
    options = parser.parse_args()
    for name, measure in (("errors", errors), ("power", power_kept)):
        rows = []
        for number, ((per_group, n_groups), seed_sd, n_seeds) in enumerate(product(CLIPS, SEED_SDS, SEEDS)):
            group_of = np.repeat(np.arange(n_groups), per_group)
            rng = np.random.default_rng([20260101, number])
            design = {"clips/group": per_group, "groups": n_groups, "seed sd": seed_sd, "seeds": n_seeds}
            shares = measure(rng, options.repeats, n_seeds, group_of, seed_sd)
            if shares:
                rows.append(design | {key: round(share, 1) for key, share in shares.items()})
                print(*rows[-1].items() if number == 0 else rows[-1].values(), flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(options.out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
