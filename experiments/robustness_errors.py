"""How often intervals of effective robustness are wrong, by simulation of whole studies.

A clip is right when a latent normal score is positive, as in design_errors.py, with and without damage: base
+ seed + group + clip + arm's own effects + noise. The arms' clean accuracies lie from 55 to 85 %, their
damaged ones on a line in logits, but for `scatter`, by which each arm's own lies off it. A seed moves clean
and damaged alike. What is covered:

- `these`: the distance from the line through the other arms of the study, had they endless seeds and clips.
- `all`: the distance from the line that arms lie about, of which those in the study are a draw: what else
  would be said of "models as good as this one".

By the interval of `mmvideo.evaluation.robustness`, and by its part that resamples seeds and groups only,
which it was before (`without line`).

    python experiments/robustness_errors.py --repeats 300 --out experiments/results/robustness_errors
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy import stats
from scipy.special import expit, logit

from mmvideo.evaluation.robustness import distances, effective_robustness, line_half_widths

GROUP, CLIP, ARM_GROUP, ARM_CLIP, NOISE = 0.6, 0.8, 0.4, 0.4, 1.0
INNER = GROUP**2 + CLIP**2 + ARM_GROUP**2 + ARM_CLIP**2 + NOISE**2
SLOPE, FALL = 0.8, -0.8
"""Of the line in logits."""
CLEAN = (0.55, 0.85)
SEED_SDS, SCATTERS = (0.1, 0.5), (0.0, 0.3)
ARMS, SEEDS = (4, 6), (2, 3, 5, 10)
GROUPS, CLIPS = 50, 8
ENDLESS = 4000
"""Seeds of the truth."""


def latent(arms: int, scatter: float, rng: np.random.Generator) -> tuple[ndarray, ndarray]:
    """Thresholds (2, A) of arms, clean and damaged; and how far each lies off the line, in logits."""
    clean = logit(np.linspace(*CLEAN, arms))
    off = rng.normal(0, scatter, arms)
    return stats.norm.ppf(expit(np.stack([clean, SLOPE * clean + FALL + off]))) * np.sqrt(INNER), off


def simulate(
    base: ndarray, seeds: int, seed_sd: float, group_of: ndarray, rng: np.random.Generator
) -> ndarray:
    """Correctness (2, A, S, n): without and with damage."""
    arms, clips, groups = base.shape[1], len(group_of), int(group_of.max()) + 1
    difficulty = rng.normal(0, GROUP, groups)[group_of] + rng.normal(0, CLIP, clips)
    own = rng.normal(0, ARM_GROUP, (arms, 1, groups))[:, :, group_of]
    own = own + rng.normal(0, ARM_CLIP, (arms, 1, clips))
    seed = rng.normal(0, seed_sd, (arms, seeds, 1))
    noise = rng.normal(0, NOISE, (2, arms, seeds, clips))
    right: ndarray = base[:, :, None, None] + seed + difficulty + own + noise > 0
    return right


def truth(base: ndarray, seed_sd: float, rng: np.random.Generator) -> tuple[ndarray, ndarray]:
    """Each arm's distance from the others' line with endless seeds and clips, (A,); and its mean clean and
    damaged accuracies, (2, A)."""
    seed = rng.normal(0, seed_sd, (base.shape[1], ENDLESS))
    means = stats.norm.cdf((base[:, :, None] + seed) / np.sqrt(INNER))
    return distances(means[None], 10**9, share=True)[0], means.mean(axis=2)


def design(arms: int, seeds: int, seed_sd: float, scatter: float, repeats: int) -> dict[str, float]:
    """Coverage of each interval, in %, over arms and repeats, and the mean widths in points."""
    rng = np.random.default_rng([arms, seeds, round(100 * seed_sd), round(100 * scatter)])
    group_of = np.repeat(np.arange(GROUPS), CLIPS)
    covered: dict[str, list[ndarray]] = {}
    for _ in range(repeats):
        base, off = latent(arms, scatter, rng)
        of_these, (_, damaged) = truth(base, seed_sd, rng)
        # on the line the arm would have its damaged accuracy without its own distance, in logits
        of_all = damaged - expit(logit(damaged) - off)
        scores = simulate(base, seeds, seed_sd, group_of, rng).astype(float)
        value, low, high = np.array(effective_robustness(scores[0], scores[1], group_of, share=True)).T
        line = line_half_widths(scores.mean(axis=3), len(group_of), share=True)
        sampling = [np.sqrt(np.maximum(side**2 - line**2, 0)) for side in (value - low, high - value)]
        intervals = {"interval": (low, high), "without line": (value - sampling[0], value + sampling[1])}
        for name, (low, high) in intervals.items():
            covered.setdefault(f"{name}, these", []).append((low <= of_these) & (of_these <= high))
            covered.setdefault(f"{name}, all", []).append((low <= of_all) & (of_all <= high))
            covered.setdefault(f"{name}, width", []).append(high - low)
    return {name: 100 * float(np.mean(values)) for name, values in covered.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("experiments/results/robustness_errors"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for scatter, arms, seed_sd, seeds in product(SCATTERS, ARMS, SEED_SDS, SEEDS):
        found = design(arms, seeds, seed_sd, scatter, options.repeats)
        rows.append({"scatter": scatter, "arms": arms, "seed sd": seed_sd, "seeds": seeds, **found})
        print(" ".join(f"{name} {value:g}" for name, value in rows[-1].items()), flush=True)
        table = pd.DataFrame(rows).assign(repeats=options.repeats)
        table.to_csv(options.out / "coverage.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
