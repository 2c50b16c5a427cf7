"""Training on what frozen encoders made of the clips: each clip is encoded once, not once an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mmvideo.data.loading import cut, epoch_order
from mmvideo.data.shares import WHOLE, Part, Share
from mmvideo.model import FusionModel
from mmvideo.types import Batch, EncodedBatch, Features, Tokens

NOBODY: Mapping[str, Sequence[int]] = MappingProxyType({})


@dataclass(frozen=True)
class EncodedSplit:
    """All clips of a split, encoded; rows are clips, padded to the longest of them."""

    ids: tuple[str, ...]
    inputs: Mapping[str, Tokens]
    labels: Tensor
    features: Mapping[str, Features]

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Sequence[int], donors: Mapping[str, Sequence[int]] = NOBODY) -> EncodedBatch:
        """Some clips, padded to the longest of them.

        Args:
            donors: modalities that each of them is given of another clip → the rows of these.
        """
        shown = {m: torch.tensor(donors.get(m, rows)) for m in self.inputs}
        return EncodedBatch(
            tuple(self.ids[row] for row in rows),
            {m: _rows(tokens, shown[m]) for m, tokens in self.inputs.items()},
            self.labels[torch.tensor(rows)],
            {m: _feature_rows(part, shown[m]) for m, part in self.features.items()},
        )


class EncodedData:
    """Training and validation batches, in the order in which the clips themselves would come."""

    def __init__(
        self, train: EncodedSplit, val: EncodedSplit, *, batch_size: int, seed: int, share: Share = WHOLE
    ) -> None:
        self.train, self.val, self.batch_size, self.seed, self.share = train, val, batch_size, seed, share

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        order = epoch_order(len(self.train), self.seed, epoch)
        return self._batches(self.train, order)

    def val_batches(self) -> Iterator[Batch]:
        return self._batches(self.val, range(len(self.val)))

    def _batches(self, split: EncodedSplit, order: Sequence[int]) -> Iterator[Batch]:
        for rows in cut(order, self.batch_size):
            batch = split.batch(self.share.rows(rows))
            yield batch if self.share == WHOLE else Part(batch, tuple(split.ids[row] for row in rows))


@torch.no_grad()
def encode_split(model: FusionModel, batches: Iterable[Batch], device: torch.device) -> EncodedSplit:
    """The model's encoders over all batches, in evaluation mode; what they made is kept on the CPU."""
    was_training = model.training
    model.eval()
    ids: list[str] = []
    labels: list[Tensor] = []
    inputs: dict[str, list[Tokens]] = {m: [] for m in model.encoders}
    features: dict[str, list[Features]] = {m: [] for m in model.encoders}
    for batch in batches:
        ids += batch.ids
        labels.append(batch.labels)
        for m, part in model.encode(batch.to(device)).items():
            tokens = batch.inputs[m]
            inputs[m].append(Tokens(tokens.mask, tokens.mask, tokens.time))
            features[m].append(part.to("cpu"))
    model.train(was_training)
    return EncodedSplit(
        tuple(ids),
        {m: _joined(parts) for m, parts in inputs.items()},
        torch.cat(labels),
        {m: _joined_features(parts) for m, parts in features.items()},
    )


def _rows(tokens: Tokens, chosen: Tensor) -> Tokens:
    mask = tokens.mask[chosen]
    longest = max(1, int(mask.sum(dim=1).max()))
    return Tokens(tokens.values[chosen, :longest], mask[:, :longest], tokens.time[chosen, :longest])


def _feature_rows(features: Features, chosen: Tensor) -> Features:
    def rows(part: Any) -> Any:
        return _rows(part, chosen) if isinstance(part, Tokens) else part[chosen]

    return Features(**{name: rows(part) for name, part in features.parts().items()})


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return Tokens(*(_padded([getattr(part, name) for part in parts]) for name in ("values", "mask", "time")))


def _joined_features(parts: Sequence[Features]) -> Features:
    joined: dict[str, Any] = {}
    for name, first in parts[0].parts().items():
        held = [getattr(part, name) for part in parts]
        joined[name] = _joined(held) if isinstance(first, Tokens) else torch.cat(held)
    return Features(**joined)


def _padded(parts: Sequence[Tensor]) -> Tensor:
    """On top of each other, with zeros to the longest along the second axis."""
    longest = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(p, (0, 0) * (p.ndim - 2) + (0, longest - p.shape[1])) for p in parts])
