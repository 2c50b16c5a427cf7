"""Modality dropout: the same for the same (seed, epoch, clip), at the rates asked for, never everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmvideo.config import TrainConfig
from mmvideo.training.dropout import drop_modalities
from mmvideo.types import Batch, Tokens

NAMES = ("visual", "audio", "text")


def clips(present: np.ndarray, prefix: str = "clip") -> Batch:
    """Clips with these of the three modalities (n, 3)."""
    n = len(present)
    inputs = {
        m: Tokens(torch.ones(n, 2, 3), torch.ones(n, 2, dtype=torch.bool), torch.ones(n, 2)).keep_rows(
            torch.from_numpy(present[:, i])
        )
        for i, m in enumerate(NAMES)
    }
    return Batch(tuple(f"{prefix}{i}" for i in range(n)), inputs, torch.zeros(n, dtype=torch.long))


rates = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.0, 0.5, 1.0]))
patterns = st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=12)


@given(patterns, rates, st.integers(0, 3))
def test_it_only_takes_away_and_never_everything(
    pattern: list[tuple[bool, ...]], rates: dict[str, float], epoch: int
) -> None:
    batch = clips(np.array(pattern))
    left = drop_modalities(batch, rates, 0, epoch)
    assert not (left.present & ~batch.present).any()
    assert (left.present.any(dim=1) == batch.present.any(dim=1)).all()
    for i, m in enumerate(NAMES):
        gone = ~left.present[:, i]
        assert not left.inputs[m].mask[gone].any()
        assert (left.inputs[m].values[gone] == 0).all()
        if rates.get(m, 0) == 0:
            assert torch.equal(left.present[:, i], batch.present[:, i])
    assert (left.ids, left.labels) == (batch.ids, batch.labels)


def test_a_clips_draw_depends_on_nothing_but_seed_epoch_and_clip() -> None:
    rates, whole = dict.fromkeys(NAMES, 0.5), clips(np.ones((40, 3), bool))
    first = drop_modalities(whole, rates, 1, 2).present
    alone = [
        drop_modalities(
            Batch((name,), clips(np.ones((1, 3), bool)).inputs, whole.labels[:1]), rates, 1, 2
        ).present
        for name in whole.ids
    ]
    assert torch.equal(first, torch.cat(alone))
    assert not torch.equal(first, drop_modalities(whole, rates, 1, 3).present)
    assert not torch.equal(first, drop_modalities(whole, rates, 2, 2).present)


def test_rates_are_those_asked_for() -> None:
    batch = clips(np.ones((4000, 3), bool))
    left = drop_modalities(batch, {"visual": 0.3, "audio": 0.6}, 0, 1).present.float().mean(dim=0)
    np.testing.assert_allclose(left.numpy(), [0.7, 0.4, 1.0], atol=0.03)


def test_the_one_that_stays_is_drawn_evenly() -> None:
    """With rates p and q for the only two, each goes at its rate less p·q / 2."""
    present = np.tile([True, True, False], (4000, 1))
    left = drop_modalities(clips(present), {"visual": 0.5, "audio": 1.0}, 0, 1).present.float()
    np.testing.assert_allclose(left.mean(dim=0).numpy(), [0.75, 0.25, 0], atol=0.03)


def test_without_rates_the_batch_is_untouched() -> None:
    batch = clips(np.ones((3, 3), bool))
    assert drop_modalities(batch, {}, 0, 1) is batch
    assert drop_modalities(batch, {"visual": 0.0, "flow": 0.9}, 0, 1) is batch


def test_rates_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="visual"):
        TrainConfig(modality_dropout={"visual": 1.5})
