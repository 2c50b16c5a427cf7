"""The controls that need no training: what a comparison must beat before it can speak of fusion.

Each gives outputs like an arm's, so that it gets the same metrics, interval and pairing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import optimize
from scipy.special import expit, logsumexp

from mmvideo.report.runs import ArmRuns, FinishedRun
from mmvideo.vocabulary import TaskKind

SCORE_AVERAGING = "score averaging"
MAJORITY = "majority class"
MISSINGNESS = "missingness baseline"
WITH_MISSINGNESS = "best single with missingness"
CLASS_PRIORS = "class priors"
MEDIAN = "training median"
NO_INPUT = (MAJORITY, CLASS_PRIORS, MEDIAN)
"""The control that looks at nothing, by task."""
NOTHING = {"", "none"}
"""How the pattern of clips that have no modality is called."""

_AVERAGE = (
    "a late ensemble of the unimodal models: the mean of their {}, seed by seed, over what a clip has. "
    "It needs no training beyond theirs; a fusion that does not beat it has learnt nothing jointly."
)
_PRESENCE = (
    "{} among clips with the same modalities present. Where it "
    "beats the {}, which modalities exist tells about the label, and a gain may come from there."
)
_BOTH = (
    "the best single modality's {} and the missingness baseline's, put together by Bayes' rule as if they "
    "were independent given the label, weighted on validation; in the table where it differs from the best "
    "single modality. The gain of a fusion that does not beat it may come from which modalities exist."
)
EXPLANATIONS: dict[TaskKind, dict[str, str]] = {
    "single_label": {
        SCORE_AVERAGING: _AVERAGE.format("probabilities"),
        MAJORITY: "the training split's most frequent class for every clip: accuracy without any input.",
        MISSINGNESS: _PRESENCE.format("the most frequent training class", "majority class"),
        WITH_MISSINGNESS: _BOTH.format("probabilities"),
    },
    "multi_label": {
        SCORE_AVERAGING: _AVERAGE.format("probabilities"),
        CLASS_PRIORS: "each class's frequency in training for every clip: a ranking without any input.",
        MISSINGNESS: _PRESENCE.format("the classes' training frequencies", "class priors"),
        WITH_MISSINGNESS: _BOTH.format("log-odds"),
    },
    "regression": {
        SCORE_AVERAGING: _AVERAGE.format("predictions"),
        MEDIAN: "the median of the training labels for every clip: the least error without any input.",
        MISSINGNESS: _PRESENCE.format("the median of the training labels", "training median"),
        WITH_MISSINGNESS: "the best single modality's prediction, moved by what the median of the training "
        "labels among clips with the same modalities differs from that of all.",
    },
}


def constant_controls(run: FinishedRun, task: TaskKind) -> dict[str, Float[ndarray, "n C"]]:
    """The controls that look at no content, by name: one output for all, and one per presence pattern.

    Args:
        run: any; what the clips have is the same for all.
    """
    learnt, n_clips = run.result.train_presence, len(run.outputs)
    if task == "single_label":
        return {
            MAJORITY: majority(learnt, n_clips),
            MISSINGNESS: missingness_baseline(learnt, run.present),
        }
    prior = np.array(run.result.train_prior)
    by_pattern = {pattern: np.array(outputs) for pattern, outputs in learnt.items()}
    name = CLASS_PRIORS if task == "multi_label" else MEDIAN
    return {
        name: np.tile(prior, (n_clips, 1)),
        MISSINGNESS: _by_pattern(by_pattern, prior, run.present),
    }


def score_averaging(members: Sequence[ArmRuns], task: TaskKind = "single_label") -> Float[ndarray, "S n C"]:
    """Mean probability (regression: value) of single-modality arms, per seed, over the modalities a clip has
    (all if none).

    Args:
        members: one arm per modality.
    """
    present = np.stack([_has_own_modality(arm) for arm in members])  # (M, n)
    weight = np.where(present.any(axis=0), present, True)
    outputs = np.stack([arm.outputs for arm in members])  # (M, S, n, C)

    def mean(values: Float[ndarray, "M S n C"]) -> Float[ndarray, "S n C"]:
        return np.einsum("mn,msnc->snc", weight / weight.sum(axis=0), values)

    if task == "regression":
        return mean(outputs)
    if task == "multi_label":
        return np.log(mean(expit(outputs))) - np.log(mean(expit(-outputs)))
    return np.log(mean(np.exp(outputs)))


def majority(train_presence: Mapping[str, Sequence[float]], n_clips: int) -> Float[ndarray, "n C"]:
    """The training split's class frequencies, for every clip.

    Args:
        train_presence: training clips per class, for each presence pattern such as `visual+text`.
    """
    return np.tile(_log_frequencies(np.sum(list(train_presence.values()), axis=0)), (n_clips, 1))


def missingness_baseline(
    train_presence: Mapping[str, Sequence[float]], present: Mapping[str, Bool[ndarray, " n"]]
) -> Float[ndarray, "n C"]:
    """Class frequencies of the training clips with the clip's presence pattern; of all, if it is unseen.

    Args:
        train_presence: training clips per class, for each presence pattern such as `visual+text`.
        present: for each modality, which of the test clips have it.
    """
    counts = {name: np.asarray(count) for name, count in train_presence.items()}
    learnt = {name: _log_frequencies(count) for name, count in counts.items()}
    return _by_pattern(learnt, _log_frequencies(np.sum(list(counts.values()), axis=0)), present)


def with_missingness(arm: ArmRuns, task: TaskKind = "single_label") -> Float[ndarray, "S n C"]:
    """A single-modality arm's outputs, and what a clip's presence pattern says beside them.

    Where content x of modality m is independent of the rest of the pattern given the label y,
    p(y | x, pattern) is proportional to p(y | x) p(y | pattern) / p(y | m is there). Where m is not, the arm
    gives p(y), and what is left is p(y | pattern). For multi-label and regression only outputs are known by
    pattern, and their difference to those of all training clips is added. A pattern that training lacks adds
    nothing. Models are too sure of themselves, so both parts are weighted as fits validation best. Each seed
    knows the training clips that it had.
    """
    modality = arm.modalities[0]
    shifts = [_shift(run, modality, task) for run in arm.runs]
    own, beside = _weights(arm, shifts, task)
    outputs = np.stack([
        np.where(run.present[modality][:, None], own, 1) * run.outputs + beside * _moved(shift, run.present)
        for run, shift in zip(arm.runs, shifts, strict=True)
    ])  # fmt: skip
    return outputs if task != "single_label" else outputs - logsumexp(outputs, axis=-1, keepdims=True)


def _shift(run: FinishedRun, modality: str, task: TaskKind) -> dict[str, ndarray]:
    """What each presence pattern of the run's training clips adds to outputs that know of one modality."""
    learnt = {name: np.asarray(outputs, dtype=float) for name, outputs in run.result.train_presence.items()}
    if task != "single_label":
        return {pattern: outputs - np.array(run.result.train_prior) for pattern, outputs in learnt.items()}
    having = [counts for pattern, counts in learnt.items() if modality in pattern.split("+")]
    nothing = np.zeros(run.outputs.shape[-1])
    base, prior = (_log_frequencies(np.sum([*part, nothing], axis=0)) for part in (having, learnt.values()))
    return {
        pattern: _log_frequencies(counts) - (base if modality in pattern.split("+") else prior)
        for pattern, counts in learnt.items()
    }


def _moved(shift: Mapping[str, ndarray], present: Mapping[str, Bool[ndarray, " n"]]) -> Float[ndarray, "n C"]:
    return _by_pattern(shift, np.zeros(len(next(iter(shift.values()), ()))), present)


def _weights(arm: ArmRuns, shifts: Sequence[Mapping[str, ndarray]], task: TaskKind) -> tuple[float, float]:
    """Of the arm's outputs where it sees something, and of the shift by pattern: those of least loss on
    validation, over all seeds, with some weight on 1. Both 1 for regression, or without such predictions.
    """
    held = [(run.validation, shift) for run, shift in zip(arm.runs, shifts, strict=True) if run.validation]
    if task == "regression" or not held:
        return 1.0, 1.0
    outputs = np.concatenate([part.outputs for part, _ in held])
    labels = np.concatenate([part.labels for part, _ in held])
    sees = np.concatenate([part.present[arm.modalities[0]] for part, _ in held])[:, None]
    moved = np.concatenate([_moved(shift, part.present) for part, shift in held])
    chosen = labels if task == "multi_label" else np.eye(outputs.shape[-1])[labels]

    def loss(weights: ndarray) -> float:
        logits = np.where(sees, weights[0], 1) * outputs + weights[1] * moved
        free = np.logaddexp(0, logits) if task == "multi_label" else logsumexp(logits, axis=1, keepdims=True)
        return float(free.sum() - (chosen * logits).sum() + ((weights - 1) ** 2).sum())

    found = optimize.minimize(loss, np.ones(2), bounds=[(0, None), (0, None)], method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])


def _by_pattern(
    learnt: Mapping[str, ndarray], unseen: ndarray, present: Mapping[str, Bool[ndarray, " n"]]
) -> Float[ndarray, "n C"]:
    """For each clip what its presence pattern's name has; `unseen` where that has none."""
    known = {frozenset(name.split("+")) - NOTHING: outputs for name, outputs in learnt.items()}
    clips = zip(*present.values(), strict=True)
    patterns = (frozenset(m for m, here in zip(present, row, strict=True) if here) for row in clips)
    return np.stack([known.get(pattern, unseen) for pattern in patterns])


def score_averaging_members(singles: Sequence[ArmRuns], modalities: Sequence[str]) -> tuple[ArmRuns, ...]:
    """The arms to average: per modality, in this order, the single one best on validation. Empty for fewer
    than two."""
    best: dict[str, ArmRuns] = {}
    for arm in singles:
        held = best.get(arm.modalities[0])
        if held is None or arm.rank > held.rank:
            best[arm.modalities[0]] = arm
    return tuple(best[m] for m in modalities if m in best) if len(best) > 1 else ()


def _has_own_modality(arm: ArmRuns) -> Bool[ndarray, " n"]:
    return arm.runs[0].present[arm.modalities[0]]


def _log_frequencies(counts: ndarray) -> Float[ndarray, " C"]:
    """Laplace's rule (one imaginary clip per class) keeps the likelihood of an unseen class above 0."""
    return np.log((counts + 1) / (counts.sum() + len(counts)))
