"""Whether probabilities mean what they say, and whether confidence tells right from wrong.

All is of the predicted class: its probability is the confidence (n,), whether it is the label the outcome.
Values are biased for few clips; compare arms on the same clips only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

TEMPERATURES = (0.05, 20.0)
"""Between these the temperature is looked for."""


@dataclass(frozen=True)
class Calibration:
    """One run's calibration on its test clips: `brier` is `miscalibration` - `discrimination` +
    `uncertainty`."""

    nll: float
    """Mean negative log-likelihood of the label, in nats."""
    smooth_ece: float
    """Smooth calibration error (Błasiok & Nakkiran 2024, https://arxiv.org/abs/2309.12236): 0 to 1."""
    brier: float
    """Mean squared error of the confidence, 0 to 1."""
    miscalibration: float
    """MCB: what recalibrating the confidences by isotonic regression would save (CORP: Dimitriadis, Gneiting
    & Jordan 2021, https://doi.org/10.1073/pnas.2016191118)."""
    discrimination: float
    """DSC: what confidences, recalibrated, are better than the accuracy told for every clip."""
    uncertainty: float
    """UNC: the squared error of telling the accuracy for every clip."""
    augrc: float
    """Area under the generalised risk-coverage curve (Traub et al. 2024, https://arxiv.org/abs/2407.01032):
    the mean rate of silent failures over all coverages, 0 to 0.5."""
    aurc: float
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017): the mean error rate of accepted clips."""


def calibration(log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"]) -> Calibration:
    """How well a run's confidences are calibrated and how well they rank.

    Args:
        log_probabilities: natural logarithms of the class probabilities.
        labels: class indices.

    Raises:
        ValueError: no clips.
    """
    import relplot  # it takes seconds

    confidence, right = confidences(log_probabilities, labels)
    brier = float(((confidence - right) ** 2).mean())
    recalibrated = float(((_isotonic(confidence, right) - right) ** 2).mean())
    uncertainty = float(right.mean() * (1 - right.mean()))
    coverage, risk = risk_coverage(confidence, right)
    return Calibration(
        nll=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        smooth_ece=float(relplot.smECE(confidence, right.astype(float))),
        brier=brier,
        miscalibration=brier - recalibrated,
        discrimination=uncertainty - recalibrated,
        uncertainty=uncertainty,
        augrc=float(np.trapezoid(np.r_[0.0, risk * coverage], np.r_[0.0, coverage])),
        aurc=float(np.repeat(risk, np.diff(np.r_[0, np.rint(coverage * len(right))]).astype(int)).mean()),
    )


def confidences(
    log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"]
) -> tuple[Float[ndarray, " n"], Bool[ndarray, " n"]]:
    """The predicted class's probability, and whether it is the label.

    Raises:
        ValueError: no clips.
    """
    if len(labels) == 0:
        raise ValueError("calibration needs at least one clip")
    return np.exp(log_probabilities.max(axis=1)).clip(0, 1), log_probabilities.argmax(axis=1) == labels


def risk_coverage(
    confidence: Float[ndarray, " n"], right: Bool[ndarray, " n"]
) -> tuple[Float[ndarray, " k"], Float[ndarray, " k"]]:
    """The share of clips accepted, and the error rate among them, from the surest clips to all.

    One point for each confidence that occurs: clips of the same confidence are accepted together.
    """
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-1.0))
    accepted = ends + 1
    return accepted / len(right), np.cumsum(~right[order])[ends] / accepted


def reliability(
    confidence: Float[ndarray, " n"], right: Bool[ndarray, " n"], points: int = 41
) -> tuple[Float[ndarray, " k"], Float[ndarray, " k"], Float[ndarray, " k"]]:
    """A smooth reliability diagram: accuracy by confidence under a Gaussian kernel, reflected at 0 and 1, of
    the width that smooth ECE chooses by itself.

    Returns:
        confidences between the least and the greatest, the accuracy there, and the density of clips there,
        1 at its greatest.
    """
    import relplot

    _, width = relplot.smECE(confidence, right.astype(float), return_width=True)
    at = np.linspace(confidence.min(), confidence.max(), points)
    mirrored = np.stack([confidence, -confidence, 2 - confidence])  # (3, n): nothing is lost at 0 and 1
    weights = np.exp(-(((at[:, None, None] - mirrored) / width) ** 2) / 2).sum(axis=1)  # (points, n)
    return at, weights @ right / weights.sum(axis=1), weights.sum(axis=1) / weights.sum(axis=1).max()


def fit_temperature(log_probabilities: Float[ndarray, "n C"], labels: Int[ndarray, " n"]) -> float | None:
    """The number that divides the logits of least negative log-likelihood (Guo et al. 2017, sec. 4.2).

    To be fitted on validation. Above 1 the model is too sure.

    Returns:
        None where every clip is right: there is no such number, since the lower the likelier, as estimates of
        a logistic regression grow without end where classes are separated (Albert & Anderson 1984,
        https://doi.org/10.1093/biomet/71.1.1), and errors elsewhere would be made with certainty.
    """
    if (log_probabilities.argmax(axis=1) == labels).all():
        return None
    from scipy.optimize import minimize_scalar

    def nll(log_temperature: float) -> float:
        scaled = with_temperature(log_probabilities, float(np.exp(log_temperature)))
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(nll, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def with_temperature(log_probabilities: Float[ndarray, "n C"], temperature: float) -> Float[ndarray, "n C"]:
    """Log-probabilities of the logits divided by the temperature."""
    from scipy.special import log_softmax

    return log_softmax(log_probabilities / temperature, axis=1)


def _isotonic(confidence: Float[ndarray, " n"], right: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
    """The non-decreasing function of the confidence that is nearest to the outcomes, at the clips."""
    from scipy.optimize import isotonic_regression

    _, place, clips = np.unique(confidence, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=right) / clips  # equal confidences get one value
    return isotonic_regression(shares, weights=clips).x[place]
