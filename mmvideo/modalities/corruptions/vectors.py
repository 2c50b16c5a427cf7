"""Damage to precomputed features, (N, F): one draw for all of a clip's vectors."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from mmvideo.modalities.corruptions import Corruption

Vectors = Float[ndarray, "N F"]
Usual = Float[ndarray, " F"]


def noise(values: Vectors, mean: Usual, std: Usual, level: float, draw: np.random.Generator) -> Vectors:
    """Each dimension is moved by Gaussian noise, of `level` times its deviation over the training clips."""
    return values + level * std * draw.standard_normal(len(std))


def dropout(values: Vectors, mean: Usual, std: Usual, level: float, draw: np.random.Generator) -> Vectors:
    """A share `level` of the dimensions is at its mean over the training clips; those lost at a lower share
    are among them."""
    return np.where(draw.random(len(std)) < level, mean, values)


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(noise, (0.25, 0.5, 1.0, 2.0, 4.0), "deviations"),
    "dropout": Corruption(dropout, (0.1, 0.25, 0.5, 0.75, 0.9), "of the dimensions"),
}
