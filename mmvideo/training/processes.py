"""A run in several processes: each computes its part of every batch, and all see what came of the whole.

Predictions are gathered, not losses averaged, so that an objective is given the whole batch's and means what
it means in one process, whatever it normalises by; gradients are summed after each of its backward passes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool
from lightning_fabric import Fabric
from torch import Tensor, nn

from mmvideo.data.shares import WHOLE, Part, Share
from mmvideo.seeding import derive_seed
from mmvideo.types import Batch, Prediction, Tokens


def share_of(fabric: Fabric) -> Share:
    """This process's share of every batch."""
    return Share(fabric.global_rank, fabric.world_size)


class GatheredBatch(Batch):
    """A batch of which this process has only a part: ids, labels and who has what are those of the whole;
    inputs tell no more than that."""

    def __init__(self, part: Part, share: Share) -> None:
        clips = len(part.whole)
        labels, present = _gathered([part.labels, part.present], clips, share)
        inputs = {
            name: Tokens(has[:, None], has[:, None], torch.zeros(clips, 1, device=has.device))
            for name, has in zip(part.modalities, present.unbind(dim=1), strict=True)
        }
        super().__init__(part.whole, inputs, labels)
        self.part, self.share = part, share

    def keep(self, keep: Bool[Tensor, "B M"]) -> GatheredBatch:
        return GatheredBatch(self.part.keep(self.share.rows(keep)), self.share)

    def to(self, device: torch.device | str) -> Batch:
        """On another device it is the whole of what is known of it here, and no model's input."""
        return self if self.labels.device == torch.device(device) else super().to(device)


class GatheringModel(nn.Module):
    """A model that computes its part of a gathered batch and gives the whole's prediction."""

    def __init__(self, net: nn.Module, share: Share) -> None:
        super().__init__()
        self.net, self.share = net, share

    def forward(self, batch: Batch, subsets: Sequence[Collection[str]] = ()) -> Prediction:
        """As the model's own, of which batches that are not gathered go straight through.

        Outside training, diagnostics are gathered too, if they have as many columns in all processes.
        """
        own = batch.part.own if isinstance(batch, GatheredBatch) else batch
        found: Prediction = self.net(own, subsets) if subsets else self.net(own)
        if own is batch:
            return found
        told = {} if self.training else _alike(found.diagnostics)
        parts = [found.logits, *found.subsets, *found.clips.values(), *told.values()]
        logits, *rest = _gathered(parts, len(batch), self.share)
        alternatives, rest = rest[: len(found.subsets)], rest[len(found.subsets) :]
        clips = dict(zip(found.clips, rest, strict=False))
        diagnostics = dict(zip(told, rest[len(clips) :], strict=True))
        return Prediction(logits, diagnostics, clips, tuple(alternatives))


def gathering(net: Any, fabric: Fabric) -> Any:
    """The model as Fabric runs it, for batches that all processes share."""
    return net if fabric.world_size == 1 else GatheringModel(net, share_of(fabric))


def gathered(batches: Iterable[Batch], fabric: Fabric) -> Iterator[Batch]:
    """Batches of which this process has parts, on the device, as the model of `gathering` takes them."""
    share = share_of(fabric)
    for batch in batches:
        yield GatheredBatch(batch.to(fabric.device), share) if isinstance(batch, Part) else batch


def sum_gradients(parameters: Iterable[nn.Parameter], fabric: Fabric) -> None:
    """Give every process the sum of all processes' gradients. Where a process has none, it counts as 0."""
    trained = [p for p in parameters if p.requires_grad]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in trained if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))


def seed_draws(fabric: Fabric, seed: int) -> None:
    """Seed torch's global generator: in the first process as in a run of one, in each other differently."""
    rank = fabric.global_rank
    torch.manual_seed(derive_seed(seed, "process", rank) if rank else seed)


@contextmanager
def common_draws(fabric: Fabric, *names: int | str) -> Iterator[None]:
    """Within it, all processes draw the same: what is done to gradients must not make weights differ."""
    if share_of(fabric) == WHOLE:
        yield
        return
    with torch.random.fork_rng([fabric.device] if fabric.device.type == "cuda" else []):
        torch.manual_seed(derive_seed(0, "common", *names))
        yield


class _Gather(torch.autograd.Function):
    """All processes' rows. Each computes the same loss of them all, so its own rows' gradient is whole."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, share: Share) -> Tensor:
        ctx.rows = slice(share.rank * len(rows), (share.rank + 1) * len(rows))
        parts = [torch.empty_like(rows) for _ in range(share.processes)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.rows], None


def _gathered(parts: Sequence[Tensor], clips: int, share: Share) -> list[Tensor]:
    """Each part's rows of all processes, in the batch's order, in one go. Parts (n, ...) -> (clips, ...)."""
    columns = [part.reshape(len(part), -1) for part in parts]
    flat = torch.cat(columns, dim=1)
    flat = nn.functional.pad(flat, (0, 0, 0, share.size(clips) - len(flat)))
    whole = _Gather.apply(flat, share)[:clips]  # type: ignore[no-untyped-call]
    split = whole.split([column.shape[1] for column in columns], dim=1)
    return [
        found.reshape(clips, *part.shape[1:]).to(part.dtype) for found, part in zip(split, parts, strict=True)
    ]


def _alike(diagnostics: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those that look alike in all processes: not weights of tokens, of which each may have more or fewer."""
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, {name: tuple(values.shape[1:]) for name, values in diagnostics.items()})
    return {
        name: values
        for name, values in diagnostics.items()
        if all(other.get(name) == tuple(values.shape[1:]) for other in found)
    }
