"""How often a report's first sentence claims what the data do not have, and finds what they have.

Nothing is trained: single modalities and a fusion predict as models would that know how the data were drawn,
each seed with noise of its own, and go through the report as runs do. A class moves its own entry of each
modality's evidence by `content`, and sets how likely each modality exists (`presence`). In all scenarios but
`adds` the fusion does no better than something simpler:

- `presence`: which modalities exist tells the label, what they hold does not;
- `presence beside content`: visual tells the label and always exists; of audio, only that it exists tells;
- `overconfident`: the same, with log-probabilities of visual alone that are three times too large;
- `single`: the fusion predicts as visual alone does, with noise of its own;
- `averaging`: the fusion predicts as the average of the unimodal models' probabilities does;
- `adds`: some of the label is in visual and audio together, beside what each shows.

    python experiments/verdict_errors.py --repeats 400
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy.special import log_softmax
from scipy.stats import binomtest

from mmvideo.records import Costs, Environment, RunResult
from mmvideo.report.claims import conclusion, leaders_tests
from mmvideo.report.comparisons import compare_pairs
from mmvideo.report.rows import build_rows
from mmvideo.report.runs import ArmRuns, Clips, FinishedRun, StudyRuns, Validation

CLASSES = ("left", "right", "up", "down")
MODALITIES = ("visual", "audio")
COSTS = Costs(
    parameters=1, trainable_parameters=1, objective_parameters=0, flops_per_clip=1, train_seconds=1.0,
    latency_ms=1.0, step_ms=1.0, peak_memory_mb=1.0,
)  # fmt: skip
HERE = Environment(
    git_sha=None, git_dirty=None, python="", platform="", device="", data_fingerprint="", versions={}
)


@dataclass(frozen=True)
class Scenario:
    """How data are drawn, and what the fusion makes of them."""

    content: tuple[float, float]
    presence: tuple[tuple[float, ...], tuple[float, ...]]
    """Of visual and audio: how likely it exists, by class."""
    fusion: str
    together: float = 0.0
    """How much the fusion's own evidence moves the label's entry."""
    sharpness: float = 1.0
    """What the single modalities' log-odds are multiplied by."""


ALWAYS, TELLING = (1.0, 1.0, 1.0, 1.0), (0.9, 0.9, 0.1, 0.1)
SCENARIOS = {
    "presence": Scenario((0.0, 0.0), ((0.9, 0.1, 0.9, 0.1), TELLING), "sum"),
    "presence beside content": Scenario((1.5, 0.0), (ALWAYS, TELLING), "sum"),
    "overconfident": Scenario((1.5, 0.0), (ALWAYS, TELLING), "sum", sharpness=3.0),
    "single": Scenario((1.5, 0.0), (ALWAYS, ALWAYS), "visual"),
    "averaging": Scenario((1.3, 1.3), (ALWAYS, (0.8, 0.8, 0.8, 0.8)), "averaging"),
    "adds": Scenario((1.0, 1.0), (ALWAYS, TELLING), "sum", together=1.5),
}


def simulated(
    scenario: Scenario,
    seed: int,
    n_seeds: int = 3,
    n_groups: int = 40,
    per_group: int = 5,
    noise: float = 0.4,
) -> StudyRuns:
    """A study with a fusion `late` and each modality alone.

    Args:
        n_groups: of test clips; as many, drawn in the same way, are for validation.
        noise: of each seed's log-odds of each clip; of its classes as a whole, half of it.
    """
    rng = np.random.default_rng(seed)
    n_classes, n = len(CLASSES), 2 * n_groups * per_group
    labels, groups = rng.integers(n_classes, size=n), np.repeat(np.arange(2 * n_groups), per_group)
    likely = np.clip(np.array(scenario.presence), 1e-9, 1 - 1e-9)  # (M, C)
    present = rng.random((len(MODALITIES), n)) < likely[:, labels]

    def evidence(strength: float) -> ndarray:
        """Log-likelihood ratios of the classes, (n, C), with a part that a group's clips share."""
        shown = strength * np.eye(n_classes)[labels] + rng.normal(size=(n, n_classes))
        return strength * (shown + 0.5 * rng.normal(size=(2 * n_groups, n_classes))[groups]) / 1.25

    def predicted(logits: ndarray, has: ndarray, sharpness: float = 1.0) -> ndarray:
        """What the seeds' models give, (S, n, C); where they see nothing, the prior."""
        own = rng.normal(size=(n_seeds, n, n_classes)) + 0.5 * rng.normal(size=(n_seeds, 1, n_classes))
        outputs: ndarray = log_softmax(sharpness * np.where(has[:, None], logits + noise * own, 0), axis=-1)
        return outputs

    content = [
        evidence(strength) * has[:, None] for strength, has in zip(scenario.content, present, strict=True)
    ]
    # trained on the clips that have it, a modality's model knows how likely classes are among them
    alone = [own + np.log(share) for own, share in zip(content, likely, strict=True)]
    single = [predicted(*given, scenario.sharpness) for given in zip(alone, present, strict=True)]
    if scenario.fusion == "sum":
        pattern = np.log(np.where(present[..., None], likely[:, None], 1 - likely[:, None])).sum(axis=0)
        fused = predicted(sum(content) + pattern + evidence(scenario.together), np.ones(n, dtype=bool))
    elif scenario.fusion == "visual":
        fused = predicted(alone[0], present[0])
    else:
        again = np.exp([predicted(*given) for given in zip(alone, present, strict=True)])
        weight = np.where(present.any(axis=0), present, True)
        fused = np.log(np.einsum("mn,msnc->snc", weight / weight.sum(axis=0), again))
    known = {
        "train_presence": {
            "+".join(m for m, here in zip(MODALITIES, held, strict=True) if here) or "none": tuple(
                round(500 * share)
                for share in np.where(np.array(held)[:, None], likely, 1 - likely).prod(axis=0)
            )
            for held in product((True, False), repeat=len(MODALITIES))
        },
        "train_prior": (-np.log(n_classes),) * n_classes,
    }
    there = dict(zip(MODALITIES, present, strict=True))
    arms = [_arm("late", MODALITIES, fused, labels, there, known)]
    arms += [_arm(m, (m,), own, labels, there, known) for m, own in zip(MODALITIES, single, strict=True)]
    test = slice(n // 2)
    clips = Clips(
        tuple(f"clip{i:05}" for i in range(n // 2)), groups[test].astype(str), labels[test], CLASSES
    )
    seeds = tuple(range(n_seeds))
    return StudyRuns("simulated", "Simulated", ("fusion",), seeds, None, tuple(arms), (), (), (), clips)


def _arm(
    name: str, modalities: tuple[str, ...], outputs: ndarray, labels: ndarray, present: dict[str, ndarray],
    known: dict[str, Any],
) -> ArmRuns:  # fmt: skip
    """Its runs: the first half of the clips is test, the other validation."""
    right, half = outputs.argmax(axis=-1) == labels, len(labels) // 2
    runs = []
    for seed, own in enumerate(outputs):
        nothing: dict[str, Any] = dict.fromkeys(RunResult.model_fields, ())
        given: dict[str, Any] = {
            "task": "single_label", "modalities": modalities, "classes": CLASSES, "deciding": {},
            "sources": {}, "costs": COSTS, "val": {"accuracy": float(right[seed, half:].mean())},
            "test_permuted": None, "failed_clips": {}, "best_epoch": 2, "epochs": 3,
        }  # fmt: skip
        result = RunResult.model_construct(**nothing | given | known)
        there = {m: has[:half] for m, has in present.items()}
        later = {m: has[half:] for m, has in present.items()}
        validation = Validation(own[half:], labels[half:], later)
        folder = Path(f"{name}-s{seed}")
        curve = pd.DataFrame([{"epoch": 1, "split": "val", "training_seconds": 1.0, **result.val}])
        runs.append(FinishedRun(folder, result, HERE, curve, own[:half], there, validation))
    return ArmRuns(name, "fusion" if len(modalities) > 1 else "control", tuple(runs))


def first_sentence(study: StudyRuns) -> str:
    """Of the report's answer, for the fusion `late`."""
    pairs = compare_pairs(study, build_rows(study)[0])
    return conclusion(leaders_tests(pairs, "late"), "late")[0]


def main() -> None:
    """Print, for each scenario, how often each claim is made."""
    parser = argparse.ArgumentParser(description="What the answer claims, by simulation")
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--noise", type=float, default=0.4)
    parser.add_argument("--seeds", type=int, default=3, help="of each study")
    options = parser.parse_args()
    for name, scenario in SCENARIOS.items():
        found = Counter[str]()
        for repeat in range(options.repeats):
            study = simulated(scenario, repeat, options.seeds, noise=options.noise)
            found[first_sentence(study)] += 1
        print(name)
        for sentence, count in found.most_common():
            low, high = binomtest(count, options.repeats).proportion_ci()
            share = count / options.repeats
            print(f"  {100 * share:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]  {sentence}", flush=True)


if __name__ == "__main__":
    main()
