"""The values that flow through the model. In every mask, `True` means real.

Shape letters: B batch, N tokens of one modality, D width, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Pending(Protocol):
    """What is still to be done to a batch's values, a clip a row, once they are on the device."""

    def together(self, others: Sequence[Self]) -> Self:
        """This and the others', in order, as those of one batch."""

    def to(self, device: torch.device | str) -> Self: ...

    def pin_memory(self) -> Self: ...

    def tensors(self) -> Iterator[Tensor]: ...

    def apply(self, values: Tensor) -> Tensor:
        """Values as the model is given them, of which masked items and absent clips, all zeros, stay so."""


@dataclass(frozen=True)
class Tokens:
    """A masked sequence per clip. Masks are prefixes: what is real comes first, padding after.

    As a model's input, an item is a frame (uint8, 3×H×W), 10 ms of waveform (float, samples) or a word
    piece (int64, no further dimension). Inside the model an item is a vector of width D.
    """

    values: Tensor  # (B, N, ...)
    mask: Bool[Tensor, "B N"]
    time: Float[Tensor, "B N"]  # seconds from the clip's start: centre of what the item covers
    host: tuple[Tensor, Tensor] | None = field(default=None, kw_only=True)
    """Mask and time as they are on the CPU, of tokens that were moved from there."""
    pending: Pending | None = field(default=None, kw_only=True)
    """What `finished` does to the values. None: nothing."""

    def to(self, device: torch.device | str) -> Tokens:
        values, mask, time = (_moved(part, device) for part in (self.values, self.mask, self.time))
        here = (self.mask, self.time) if self.mask.device.type == "cpu" else self.host
        pending = None if self.pending is None else self.pending.to(device)
        return Tokens(values, mask, time, host=here if mask.device.type != "cpu" else None, pending=pending)

    def finished(self) -> Tokens:
        """The same, with nothing pending."""
        return self if self.pending is None else self.replace_values(self.pending.apply(self.values))

    def on_cpu(self) -> tuple[Bool[Tensor, "B N"], Float[Tensor, "B N"]]:
        """Mask and time on the CPU, for what has to know lengths or seconds to go on. Nothing waits for the
        device, unless mask or time were made there."""
        return self.host or (self.mask.cpu(), self.time.cpu())

    def pin_memory(self) -> Tokens:
        pending = None if self.pending is None else self.pending.pin_memory()
        values, mask, time = (part.pin_memory() for part in (self.values, self.mask, self.time))
        return Tokens(values, mask, time, pending=pending)

    def replace_values(self, values: Tensor) -> Tokens:
        return Tokens(values, self.mask, self.time, host=self.host)

    def absent(self) -> Tokens:
        """The same clips without any item: one, of zeros and masked, stands in each."""
        return Tokens(*(torch.zeros_like(part[:, :1]) for part in (self.values, self.mask, self.time)))

    def keep_rows(self, keep: Bool[Tensor, " B"]) -> Tokens:
        """The same, but clips outside `keep` have no items: all masked, zeros where their values stood."""
        host = None
        if self.host is not None and keep.device.type == "cpu":
            host = (self.host[0] & keep[:, None], self.host[1] * keep[:, None])
        keep = _moved(keep, self.mask.device)
        rows = keep.view(-1, *[1] * (self.values.ndim - 1))
        zero = torch.zeros((), dtype=self.values.dtype, device=self.values.device)
        values, mask = torch.where(rows, self.values, zero), self.mask & keep[:, None]
        return Tokens(values, mask, self.time * keep[:, None], host=host, pending=self.pending)

    def tensors(self) -> Iterator[Tensor]:
        """All that is moved with it."""
        yield from (self.values, self.mask, self.time)
        yield from () if self.pending is None else self.pending.tensors()


@dataclass(frozen=True)
class Features:
    """One modality's levels. A level that no fusion reads is None: it was neither built nor computed."""

    present: Bool[Tensor, " B"]
    stem: Tokens | None = None
    trunk: Tokens | None = None
    clip: Float[Tensor, "B D"] | None = None

    def to(self, device: torch.device | str) -> Features:
        return Features(**{name: part.to(device) for name, part in self.parts().items()})

    def parts(self) -> dict[str, Any]:
        """What is there, by name."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: part for name, part in held.items() if part is not None}

    def keep_rows(self, keep: Bool[Tensor, " B"]) -> Features:
        """The same, but clips outside `keep` are as an encoder gives them for clips without this modality."""
        there = _moved(keep, self.present.device)

        def kept(part: Any) -> Any:
            if isinstance(part, Tokens):
                return part.keep_rows(keep)
            return part & there if part.dtype == torch.bool else part * there[:, None]

        return Features(**{name: kept(part) for name, part in self.parts().items()})

    def absent(self) -> Features:
        """The same levels as an encoder gives them for clips without this modality: one padded token each."""
        return Features(
            present=torch.zeros_like(self.present),
            stem=None if self.stem is None else self.stem.absent(),
            trunk=None if self.trunk is None else self.trunk.absent(),
            clip=None if self.clip is None else torch.zeros_like(self.clip),
        )


@dataclass(frozen=True)
class FeatureInput:
    """What an encoder of precomputed features is told of its input, measured on the training split."""

    width: int
    longest: int  # vectors in the longest clip; 1: every clip is one vector
    mean: tuple[float, ...]  # per dimension, over the training clips' vectors; 0 where not standardised
    std: tuple[float, ...]  # likewise; 1 where not standardised or constant


class Batch:
    """What collate makes and a model eats. Every configured modality is in `inputs`, in order, absent ones
    all masked.

    Labels are class indices (B,) int64; 0 and 1 per class (B, C) float for multi-label; (B,) float for
    regression. Not a dataclass: Fabric walks into those and would cast times to half precision.
    """

    def __init__(
        self,
        ids: tuple[str, ...],
        inputs: Mapping[str, Tokens],
        labels: Int[Tensor, " B"] | Float[Tensor, " B"] | Float[Tensor, "B C"],
    ) -> None:
        self.ids, self.inputs, self.labels = ids, inputs, labels

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.inputs)

    @property
    def present(self) -> Bool[Tensor, "B M"]:
        """Which modalities each clip has, in the order of `modalities`."""
        return torch.stack([self.inputs[m].mask.any(dim=1) for m in self.modalities], dim=1)

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, keep: Bool[Tensor, "B M"]) -> Batch:
        """The same clips with some of their modalities (in the order of `modalities`); the rest absent."""
        inputs = {m: self.inputs[m].keep_rows(keep[:, i]) for i, m in enumerate(self.modalities)}
        return Batch(self.ids, inputs, self.labels)

    def only(self, modalities: Collection[str]) -> Batch:
        """The same clips with all but these modalities absent."""
        return self.keep(torch.tensor([m in modalities for m in self.modalities]).expand(len(self), -1))

    def to(self, device: torch.device | str) -> Batch:
        moved = {name: tokens.to(device) for name, tokens in self.inputs.items()}
        return Batch(self.ids, moved, _moved(self.labels, device))

    def finished(self) -> Batch:
        """The same, with nothing pending of its inputs."""
        if all(tokens.pending is None for tokens in self.inputs.values()):
            return self
        inputs = {name: tokens.finished() for name, tokens in self.inputs.items()}
        return Batch(self.ids, inputs, self.labels)

    def tensors(self) -> Iterator[Tensor]:
        """All that was moved with it."""
        yield self.labels
        for tokens in self.inputs.values():
            yield from tokens.tensors()

    def pin_memory(self) -> Batch:
        """The same in memory that a GPU can copy from while others compute; the loader calls this."""
        pinned = {name: tokens.pin_memory() for name, tokens in self.inputs.items()}
        return Batch(self.ids, pinned, self.labels.pin_memory())


class EncodedBatch(Batch):
    """A batch whose clips went through their encoders before; `inputs` only tell what was real, and when."""

    def __init__(
        self,
        ids: tuple[str, ...],
        inputs: Mapping[str, Tokens],
        labels: Tensor,
        features: Mapping[str, Features],
    ) -> None:
        super().__init__(ids, inputs, labels)
        self.features = features

    def keep(self, keep: Bool[Tensor, "B M"]) -> EncodedBatch:
        kept = {m: self.features[m].keep_rows(keep[:, i]) for i, m in enumerate(self.modalities)}
        return EncodedBatch(self.ids, super().keep(keep).inputs, self.labels, kept)

    def to(self, device: torch.device | str) -> EncodedBatch:
        moved = super().to(device)
        features = {name: part.to(device) for name, part in self.features.items()}
        return EncodedBatch(self.ids, moved.inputs, moved.labels, features)

    def tensors(self) -> Iterator[Tensor]:
        yield from super().tensors()
        for features in self.features.values():
            for part in features.parts().values():
                yield from part.tensors() if isinstance(part, Tokens) else (part,)


@dataclass(frozen=True)
class FusionOutput:
    """What every fusion returns.

    `diagnostics` are a few numbers a clip (B, k), such as gates or shares, one a modality in the order of the
    fusion's own where its documentation says nothing else. They are logged and never trained on.
    """

    pooled: Float[Tensor, "B D"]
    diagnostics: dict[str, Float[Tensor, "B _"]] = field(default_factory=dict)


class Prediction(NamedTuple):
    """Logits (B, C); what may be looked at but not trained on; and what objectives read beside the logits.

    `clips`: each modality's clip vector (B, D), where its encoder builds one. `subsets`: the logits with
    only a subset of the modalities present, for each subset that was asked for.
    """

    logits: Float[Tensor, "B C"]
    diagnostics: dict[str, Tensor]
    clips: Mapping[str, Tensor] = MappingProxyType({})
    subsets: tuple[Tensor, ...] = ()


def _moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The tensor on the device. Only copies onto a GPU go on in the background: one to the CPU could be read
    before it is there."""
    return tensor.to(device, non_blocking=torch.device(device).type != "cpu")
