"""What can be reached on a planted task, by enumeration: by any model, and by any additive one.

An additive model scores class y as a sum of one term per modality, f_v(visual)[y] + f_a(audio)[y] +
f_t(text)[y]; late fusion by adding evidence is of this kind. Two limits are known for it, and they differ:

- `additive_converged`: the accuracy of the model that minimises the expected cross-entropy, a convex problem
  with one solution. It is what training an additive fusion converges to.
- `additive_ceiling`: the best accuracy any additive rule has, found by mixed-integer programming. For
  `routed` it is 13/16, not the 10/16 that training reaches: a rule may give up some pairs of classes to win
  others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from scipy.special import logsumexp

from mmvideo.planted.tasks import Task, World, get_task
from mmvideo.vocabulary import MODALITIES, presence_pattern

TIE = 1e-3  # scores closer than this count as equal: the optimiser's own accuracy


@dataclass(frozen=True)
class Limits:
    """The known limits of one task, ready for a report."""

    task: str
    bayes: Mapping[str, float]
    """Best accuracy from each subset of modalities, keyed `visual+audio`; the empty subset is `none`."""
    additive_converged: float
    additive_ceiling: float | None
    """None where the programme is too large to solve exactly (more than 100 observations)."""


def subset_key(modalities: Iterable[str]) -> str:
    """`visual+audio`: how a subset of modalities is written in records."""
    chosen = set(modalities)
    return presence_pattern(m for m in MODALITIES if m in chosen)


def bayes_accuracy(task: str | Task, subset: Iterable[str] = MODALITIES) -> float:
    """The accuracy of the best possible model that sees only `subset`.

    It is the sum, over what there is to observe, of max_y P(y, observation).
    """
    table = _joint(task, tuple(m for m in MODALITIES if m in set(subset)))
    return float(sum(by_label.max() for by_label in table.values()))


@cache
def limits(name: str) -> Limits:
    """All limits of the named task, computed once a process: the ceiling takes seconds for larger tasks."""
    subsets = [c for size in range(len(MODALITIES) + 1) for c in combinations(MODALITIES, size)]
    bayes = {subset_key(subset): bayes_accuracy(name, subset) for subset in subsets}
    return Limits(name, bayes, additive_converged(name), additive_ceiling(name))


def known_limits(task: str) -> dict[str, Any]:
    """A task's limits as a study records them."""
    known = limits(task)
    additive = {"cross_entropy": known.additive_converged, "ceiling": known.additive_ceiling}
    return {"task": task, "bayes": dict(known.bayes), "additive": additive}


def additive_converged(task: str | Task) -> float:
    """Accuracy of the additive model that minimises the expected cross-entropy; ties count by their share."""
    design, joint = _additive_problem(task)
    columns, classes = design.shape[1], joint.shape[1]
    mass = joint.sum(axis=1, keepdims=True)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(columns, classes)
        scores = design @ weights
        log_norm = logsumexp(scores, axis=1, keepdims=True)
        ridge = 1e-7  # keeps the minimum finite where classes are separable; does not move an argmax
        value = float((mass * log_norm).sum() - (joint * scores).sum() + ridge * (flat**2).sum())
        slope = design.T @ (mass * np.exp(scores - log_norm) - joint) + 2 * ridge * weights
        return value, slope.ravel()

    start = np.zeros(columns * classes)
    tight = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10}
    solution = minimize(loss, start, jac=True, method="L-BFGS-B", options=tight)
    scores = design @ solution.x.reshape(columns, classes)
    best = scores >= scores.max(axis=1, keepdims=True) - TIE
    return float((joint * best / best.sum(axis=1, keepdims=True)).sum())


def additive_ceiling(task: str | Task, *, largest: int = 100) -> float | None:
    """The best accuracy of any additive rule, ties losing; None with more than `largest` observations.

    Maximises Σ P(y, o)·won[o, y] over term tables f and binary `won`, subject to: where won[o, y] = 1, the
    score of y at o exceeds every other class's by 1 (any margin is as good, since scores can be scaled).
    """
    design, joint = _additive_problem(task)
    observations, columns = design.shape
    classes = joint.shape[1]
    if observations > largest:
        return None
    terms, size, big = columns * classes, observations * classes, 200.0
    rows, lower = [], []
    for o in range(observations):
        for y in range(classes):
            for other in set(range(classes)) - {y}:
                row = np.zeros(terms + size)
                row[np.arange(columns) * classes + y] += design[o]
                row[np.arange(columns) * classes + other] -= design[o]
                row[terms + o * classes + y] = -big
                rows.append(row)
                lower.append(1 - big)
    for o in range(observations):
        row = np.zeros(terms + size)
        row[terms + o * classes : terms + (o + 1) * classes] = -1
        rows.append(row)
        lower.append(-1)
    solution = milp(
        np.concatenate([np.zeros(terms), -joint.ravel()]),
        constraints=LinearConstraint(np.array(rows), np.array(lower), np.inf),
        integrality=np.concatenate([np.zeros(terms), np.ones(size)]),
        bounds=Bounds(
            np.r_[np.full(terms, -big / 6), np.zeros(size)], np.r_[np.full(terms, big / 6), np.ones(size)]
        ),
        options={"time_limit": 60.0},
    )
    return float(-solution.fun) if solution.status == 0 else None


def _joint(task: str | Task, subset: tuple[str, ...]) -> dict[tuple[Any, ...], np.ndarray]:
    """P(label, what the subset shows): observation → vector over labels."""
    task = get_task(task) if isinstance(task, str) else task
    table: dict[tuple[Any, ...], np.ndarray] = defaultdict(lambda: np.zeros(task.classes))
    for world in task.worlds:
        table[_shown(world, subset)][world.label] += world.probability
    return table


def _shown(world: World, subset: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(world, modality) for modality in subset)


def _additive_problem(task: str | Task) -> tuple[np.ndarray, np.ndarray]:
    """One-hot design (observations × symbols of all modalities) and P(observation, label)."""
    table = _joint(task, MODALITIES)
    observed = list(table)
    shown = dict.fromkeys((m, symbols[m]) for symbols in observed for m in range(len(MODALITIES)))
    columns = {key: column for column, key in enumerate(shown)}
    design = np.zeros((len(observed), len(columns)))
    for row, symbols in enumerate(observed):
        for m, symbol in enumerate(symbols):
            design[row, columns[m, symbol]] = 1
    return design, np.stack([table[o] for o in observed])
