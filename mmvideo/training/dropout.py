"""Modality dropout: in training, clips are shown without some of their modalities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from mmvideo.seeding import derive_seed
from mmvideo.types import Batch


def drop_modalities(batch: Batch, rates: Mapping[str, float], seed: int, epoch: int) -> Batch:
    """The batch with whole modalities made absent, each at its rate (ModDrop, Neverova et al., 2016,
    https://arxiv.org/abs/1501.00102).

    Draws depend on (seed, epoch, clip) and nothing else. Where all that a clip has would go, one of them,
    drawn evenly, stays: so with rates p and q for the only two, each goes at its rate less p·q / 2.
    """
    rate = np.array([rates.get(m, 0.0) for m in batch.modalities])
    if not rate.any():
        return batch
    present = batch.present.cpu().numpy()
    keep = np.stack(
        [_keep(row, rate, seed, epoch, clip) for row, clip in zip(present, batch.ids, strict=True)]
    )
    return batch.keep(torch.from_numpy(keep))


def _keep(present: np.ndarray, rate: np.ndarray, seed: int, epoch: int, clip_id: str) -> np.ndarray:
    generator = np.random.default_rng(derive_seed(seed, "modality_dropout", epoch, clip_id))
    kept = present & (generator.random(len(rate)) >= rate)
    if present.any() and not kept.any():
        kept[generator.choice(np.flatnonzero(present))] = True
    return kept
