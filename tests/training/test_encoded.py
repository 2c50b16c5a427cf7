"""Training on encoded clips is training on the clips, with encoders that stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mmvideo.data.loading import epoch_order
from mmvideo.evaluation.contribution import subsets_of
from mmvideo.model import FusionModel
from mmvideo.training.encoded import EncodedData, EncodedSplit, encode_split
from mmvideo.training.subsets import predict_subsets
from mmvideo.types import Batch, EncodedBatch, Tokens

MODALITIES = ("visual", "audio")
CPU = torch.device("cpu")
Make = Callable[..., Any]


def lengthened(batch: Batch, more: int) -> Batch:
    """The same clips, padded further."""

    def pad(part: torch.Tensor) -> torch.Tensor:
        return torch.cat([part, part.new_zeros(len(part), more, *part.shape[2:])], dim=1)

    inputs = {m: Tokens(pad(t.values), pad(t.mask), pad(t.time)) for m, t in batch.inputs.items()}
    return Batch(batch.ids, inputs, batch.labels)


@pytest.fixture
def batches(batch: Make) -> list[Batch]:
    """Two batches padded to other lengths; some clips lack a modality."""
    return [batch(MODALITIES, 6, 1), lengthened(batch(MODALITIES, 3, 2), 2)]


@pytest.fixture
def whole(model: Make, batches: list[Batch]) -> tuple[FusionModel, EncodedSplit]:
    net = model(MODALITIES).eval()
    return net, encode_split(net, batches, CPU)


@torch.no_grad()
def test_the_model_gives_the_same_for_encoded_clips(
    whole: tuple[FusionModel, EncodedSplit], batches: list[Batch]
) -> None:
    net, split = whole
    expected = torch.cat([net(batch).logits for batch in batches])
    rows = [7, 0, 3, 8]
    encoded = split.batch(rows)
    torch.testing.assert_close(net(encoded).logits, expected[rows])
    assert encoded.labels.tolist() == torch.cat([b.labels for b in batches])[rows].tolist()
    assert encoded.ids == tuple([*batches[0].ids, *batches[1].ids][row] for row in rows)
    assert torch.equal(encoded.present, torch.cat([b.present for b in batches])[rows])


@torch.no_grad()
def test_leaving_modalities_out_is_the_same_before_and_after_encoding(
    whole: tuple[FusionModel, EncodedSplit], batches: list[Batch]
) -> None:
    net, split = whole
    encoded = split.batch(range(6))
    for subset in subsets_of(MODALITIES):
        after = encoded.only(subset)
        assert isinstance(after, EncodedBatch)
        torch.testing.assert_close(net(after).logits, net(batches[0].only(subset)).logits)
        assert torch.equal(after.present, batches[0].only(subset).present)
    direct, parts = predict_subsets(net, [batches[0]], CPU, subsets_of(MODALITIES))
    stored, stored_parts = predict_subsets(net, [encoded], CPU, subsets_of(MODALITIES))
    assert stored.outputs == pytest.approx(direct.outputs, abs=1e-5)
    assert all(stored_parts[s].outputs == pytest.approx(parts[s].outputs, abs=1e-5) for s in parts)


def test_epochs_go_through_every_clip_in_the_order_the_clips_would_come(
    whole: tuple[FusionModel, EncodedSplit],
) -> None:
    _, split = whole
    data = EncodedData(split, split, batch_size=4, seed=3)
    assert data.batches_per_epoch == 3
    for epoch in (1, 2):
        ids = [name for batch in data.train_batches(epoch) for name in batch.ids]
        assert ids == [split.ids[i] for i in epoch_order(9, 3, epoch)]
    assert [name for batch in data.val_batches() for name in batch.ids] == list(split.ids)
