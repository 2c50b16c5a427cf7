"""How often the 95 % intervals of `mmvideo.evaluation.statistics` cover the truth, against the alternatives.

A clip is right when a latent normal score is positive: base + seed + group + clip + arm's own group and clip
effects + noise. Two arms share the group's and clip's difficulty; the truth follows from the normal law.
`seed sd` is the arm's seed effect in units of the noise: 0.1 moves a run's accuracy by about 2 points
(1 sd), 0.5 by about 10. S seeds, G groups.

Coverage of the 95 % interval for the difference, in percent, from 1,000 repeats (standard error 0.7):

    clips/group  S    G  seed sd |     z  Satterthwaite  t smallest df  bootstrap  used here | one arm
              1  3   30      0.0 |  95.1            97.8          100.0       99.6       98.1 |   97.5
              1  3   30      0.1 |  94.8            98.1          100.0       99.6       98.6 |   98.2
              1  3   30      0.5 |  90.4            95.9           99.6       97.0       97.0 |   96.7
              1  3  100      0.0 |  96.1            97.3          100.0       99.7       98.3 |   97.6
              1  3  100      0.1 |  95.1            97.7          100.0       99.4       98.2 |   97.8
              1  3  100      0.5 |  84.0            93.5           98.0       91.0       96.0 |   94.6
              1  5   30      0.0 |  95.1            97.5           99.5       99.4       97.5 |   95.4
              1  5   30      0.1 |  94.7            97.5           99.3       99.4       97.9 |   96.7
              1  5   30      0.5 |  91.2            95.4           97.4       96.8       96.4 |   95.3
              1  5  100      0.0 |  95.4            96.5           99.4       99.4       96.8 |   97.1
              1  5  100      0.1 |  94.0            96.5           99.4       99.2       97.1 |   96.6
              1  5  100      0.5 |  87.9            94.0           96.0       93.0       95.6 |   95.2
              8  3   30      0.0 |  95.4            97.0          100.0       99.3       98.4 |   97.2
              8  3   30      0.1 |  93.9            96.4          100.0       98.2       97.3 |   97.8
              8  3   30      0.5 |  84.9            93.7           98.3       88.1       96.0 |   95.4
              8  3  100      0.0 |  95.3            96.2          100.0       99.6       97.8 |   97.0
              8  3  100      0.1 |  90.0            93.5          100.0       96.7       96.5 |   97.7
              8  3  100      0.5 |  82.1            93.7           97.7       83.0       96.3 |   95.3
              8  5   30      0.0 |  94.9            96.7           99.3       98.8       97.1 |   96.1
              8  5   30      0.1 |  91.8            94.9           98.9       97.4       96.6 |   96.1
              8  5   30      0.5 |  87.6            93.4           95.9       89.2       95.0 |   94.1
              8  5  100      0.0 |  94.8            95.6           99.7       99.1       96.1 |   95.8
              8  5  100      0.1 |  93.1            95.0           98.9       97.1       96.5 |   96.3
              8  5  100      0.5 |  86.3            93.9           95.6       86.8       95.0 |   94.7

A method should stay within 93-99. The z quantile forgets that the variance is estimated from a few seeds;
Satterthwaite's t comes close, but dips at large seed noise; t on the smallest df and the bootstrap give
intervals that are far too wide without seed noise, and the bootstrap too narrow ones with it.

Run it with `python experiments/interval_coverage.py --repeats 1000` (a minute or two on one core).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy import ndarray
from scipy import stats

from mmvideo.evaluation.statistics import compare_arms, interval_for_arm

GROUP, CLIP, ARM_GROUP, ARM_CLIP, NOISE = 0.6, 0.8, 0.4, 0.4, 1.0
BASES = (0.7, 0.5)


def simulate(
    rng: np.random.Generator,
    n_seeds: int,
    group_of: ndarray,
    seed_sd: float,
    bases: tuple[float, float] = BASES,
) -> tuple[ndarray, ndarray]:
    """Correctness (S, n) of two arms on one draw of seeds, groups and clips."""
    n_groups, n_clips = int(group_of.max()) + 1, len(group_of)
    difficulty = rng.normal(0, GROUP, n_groups)[group_of] + rng.normal(0, CLIP, n_clips)
    shared_seed = rng.normal(0, seed_sd / 2, (n_seeds, 1))
    arms = []
    for base in bases:
        own = rng.normal(0, ARM_GROUP, n_groups)[group_of] + rng.normal(0, ARM_CLIP, n_clips)
        seed = shared_seed + rng.normal(0, seed_sd, (n_seeds, 1))
        arms.append(base + seed + difficulty + own + rng.normal(0, NOISE, (n_seeds, n_clips)) > 0)
    return arms[0], arms[1]


def expected_accuracy(base: float, seed_sd: float) -> float:
    """The accuracy over all seeds and clips of an arm with this base."""
    variance = 1.25 * seed_sd**2 + GROUP**2 + CLIP**2 + ARM_GROUP**2 + ARM_CLIP**2 + NOISE**2
    return float(stats.norm.cdf(base / np.sqrt(variance)))


def two_way(values: ndarray, group_of: ndarray, quantile: str) -> tuple[float, float]:
    """Cluster-robust V_s + V_g - V_sg with a z quantile, or t on Satterthwaite's or the smallest df."""
    n_seeds, n_clips = values.shape
    cells = np.stack([np.bincount(group_of, weights=row) for row in values]) / n_clips
    share = np.bincount(group_of) / n_clips
    n_groups, mean = len(share), values.mean()
    cells = cells - mean * share
    by_seed, by_group = cells.sum(axis=1), cells.mean(axis=0)
    residual = cells - by_seed[:, None] * share - by_group
    dfs = np.array([n_seeds - 1, n_groups - 1, (n_seeds - 1) * (n_groups - 1)])
    parts = np.array(
        [
            (by_seed**2).sum() / (n_seeds * dfs[0]),
            (by_group**2).sum() * n_groups / dfs[1],
            (residual**2).sum() * n_groups / (n_seeds * dfs[2]),
        ]
    )
    variance = max(parts[0] + parts[1] - parts[2], parts[1])
    if quantile == "z":
        factor = stats.norm.ppf(0.975)
    else:
        satterthwaite = variance**2 / (parts**2 / dfs).sum()
        factor = stats.t.ppf(
            0.975, max(satterthwaite, dfs.min()) if quantile == "Satterthwaite" else dfs.min()
        )
    half = factor * np.sqrt(variance)
    return mean - half, mean + half


def crossed_bootstrap(values: ndarray, group_of: ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Percentile interval of the pigeonhole bootstrap: seeds and groups redrawn independently (Owen 2007).

    Deviations are stretched by sqrt(S / (S-1)), the usual small-sample correction.
    """
    draws, n_seeds = 400, len(values)
    sums = np.stack([np.bincount(group_of, weights=row) for row in values])
    sizes = np.bincount(group_of)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), draws)
    groups = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), draws)
    means = np.einsum("bs,sg,bg->b", seeds, sums, groups, optimize=True) / (n_seeds * groups @ sizes)
    means = values.mean() + (means - values.mean()) * np.sqrt(n_seeds / (n_seeds - 1))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print the coverage, in percent, of each method over the grid of designs."""
    parser = argparse.ArgumentParser(description="Coverage of 95 % intervals, by simulation")
    parser.add_argument("--repeats", type=int, default=1000, help="simulated experiments per design")
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(20260101)
    methods: dict[str, Callable[[ndarray, ndarray, ndarray], tuple[float, float]]] = {
        "z": lambda a, b, g: two_way(a * 1.0 - b, g, "z"),
        "Satterthwaite": lambda a, b, g: two_way(a * 1.0 - b, g, "Satterthwaite"),
        "t smallest df": lambda a, b, g: two_way(a * 1.0 - b, g, "smallest"),
        "bootstrap": lambda a, b, g: crossed_bootstrap(a * 1.0 - b, g, rng),
        "used here": lambda a, b, g: ((c := compare_arms(a, b, g)).low, c.high),
    }
    print(
        "clips/group  S   G  seed sd |",
        *(f"{name:>13}" for name in methods),
        "| one arm, used here",
        flush=True,
    )
    designs = [(c, s, g, sd) for c in (1, 8) for s in (3, 5) for g in (30, 100) for sd in (0.0, 0.1, 0.5)]
    for clips, n_seeds, n_groups, seed_sd in designs:
        group_of = np.repeat(np.arange(n_groups), clips)
        truths = [expected_accuracy(base, seed_sd) for base in BASES]
        covered = np.zeros(len(methods) + 1)
        for _ in range(repeats):
            a, b = simulate(rng, n_seeds, group_of, seed_sd)
            intervals = [method(a, b, group_of) for method in methods.values()]
            covered[:-1] += [low <= truths[0] - truths[1] <= high for low, high in intervals]
            arm = interval_for_arm(a, group_of)
            covered[-1] += arm.low <= truths[0] <= arm.high
        cells = " ".join(f"{rate:13.1f}" for rate in 100 * covered[:-1] / repeats)
        design = f"{clips:11d} {n_seeds:2d} {n_groups:4d} {seed_sd:7.1f}"
        print(f"{design} | {cells} | {100 * covered[-1] / repeats:6.1f}", flush=True)


if __name__ == "__main__":
    main()
