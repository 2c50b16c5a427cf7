"""Tensor fusion against the outer product, formed in full."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from numpy_layers import SUBSETS, layer_norm, made, mlp, run, same, vectors, weights

from mmvideo.contract.fusions import WIDTH
from mmvideo.fusion.tensor import best_split
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize("rank_width", [1, 3, 6, 12])
@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
def test_it_is_the_whole_outer_product_times_a_matrix(modalities: tuple[str, ...], rank_width: int) -> None:
    fusion, features = made("tensor", modalities, rank_width=rank_width)
    w, (x, _) = weights(fusion), vectors(fusion, features)
    weight, bias = w["project.weight"], w["project.bias"]
    parts = [layer_norm(v) @ weight[m] + bias[m] for m, v in enumerate(x)]
    parts = [np.concatenate([part, np.ones((len(part), 1))], axis=1) for part in parts]
    product = np.stack([reduce(np.multiply.outer, rows).ravel() for rows in zip(*parts, strict=True)])
    matrix = w["core"].reshape(-1, WIDTH)
    assert len(matrix) == (rank_width + 1) ** len(modalities)
    same(run(fusion, features)[0], mlp(w, "mix", product @ matrix))


def test_both_orders_of_contraction_are_met_above() -> None:
    splits = {(len(m), r): made("tensor", m, rank_width=r)[0].split for m in SUBSETS for r in (1, 3, 6, 12)}
    assert splits[3, 1] == 3  # whole
    assert splits[3, 12] == 2
    assert splits[4, 12] == 3


@pytest.mark.parametrize(("count", "side", "width", "expected"), [
    (1, 17, 64, 1),
    (2, 17, 64, 2),  # 17² + 64 numbers; contracting over the last takes 17 + 17 · 64
    (3, 9, 64, 3),  # 793 against 657: not worth a second product
    (3, 17, 64, 2),  # 4977 against 1377
    (2, 17, 2, 1),  # 291 against 51
    (4, 33, 8, 2),  # 33² + 8 · 33² against 33³ + 8 · 33
])  # fmt: skip
def test_where_the_outer_product_is_split(count: int, side: int, width: int, expected: int) -> None:
    assert best_split(count, side, width) == expected


def test_the_stated_number_of_weights() -> None:
    for modalities, expected in ((MODALITIES, 46_656), ((*MODALITIES, "depth"), 419_904)):
        assert made("tensor", modalities)[0].core.numel() * 64 // WIDTH == expected
