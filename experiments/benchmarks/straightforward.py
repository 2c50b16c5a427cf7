"""The papers' formulas as one first writes them down, to measure the library's versions against.

Each takes over the weights of the fusion it mirrors and gives the same output. What it does as public code
does, and the library does not: softmax attention written out, with all scores in memory; a Python loop over
modalities, pairs of modalities and ranks; a layer norm with its own scale for every input of every layer;
the last layer computed for all tokens, though one of them is read; the outer product formed in full.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.fusion import Fusion
from mmvideo.fusion.bottleneck import BottleneckFusion
from mmvideo.fusion.low_rank import LowRankFusion
from mmvideo.fusion.mult import MultFusion
from mmvideo.fusion.tensor import TensorFusion
from mmvideo.layers.grouped_attention import StreamBlock, StreamLinear
from mmvideo.types import Features


class PlainBlock(nn.Module):
    """A pre-norm transformer block of one stream: x (B, Q, D) reads the real tokens of context (B, K, D)."""

    def __init__(self, block: nn.Module, stream: int) -> None:
        super().__init__()
        assert isinstance(block, StreamBlock)
        widen, _, narrow = block.feed_forward
        self.query, self.key_value, self.out, self.widen, self.narrow = (
            _linear(layer, stream)
            for layer in (
                block.attention.query,
                block.attention.key_value,
                block.attention.out,
                widen,
                narrow,
            )
        )
        self.heads = block.attention.heads
        width = self.query.in_features
        self.norm_query, self.norm_context, self.norm_ff = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = block.dropout

    def forward(self, x: Tensor, context: Tensor, real: Tensor) -> Tensor:
        q = self._split(self.query(self.norm_query(x)))
        k, v = (self._split(part) for part in self.key_value(self.norm_context(context)).chunk(2, dim=2))
        scores = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)
        shares = torch.softmax(scores.masked_fill(~real[:, None, None], float("-inf")), dim=3)
        x = x + self.dropout(self.out((shares @ v).transpose(1, 2).flatten(2)))
        return x + self.dropout(self.narrow(F.gelu(self.widen(self.norm_ff(x)))))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class PlainStack(nn.Module):
    """One stream's layers, one after the other; without a context, a sequence reads itself."""

    def __init__(self, blocks: nn.ModuleList, stream: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PlainBlock(block, stream) for block in blocks)

    def forward(self, x: Tensor, real: Tensor, context: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, x if context is None else context, real)
        return x


class PlainMult(nn.Module):
    """MulT, pair by pair (Tsai et al., 2019)."""

    def __init__(self, fusion: MultFusion) -> None:
        super().__init__()
        self.base = copy.deepcopy(fusion)
        self.cross = nn.ModuleList(PlainStack(fusion.cross, pair) for pair in range(len(fusion.target)))
        self.own = nn.ModuleList(PlainStack(fusion.own, m) for m in range(len(fusion.modalities)))
        del self.base.cross, self.base.own

    def forward(self, features: Mapping[str, Features]) -> Tensor:
        tokens = self.base.sequences(features)
        pairs = list(zip(self.base.target.tolist(), self.base.source.tolist(), strict=True))
        summaries = []
        for m, own in enumerate(self.own):
            streams = [
                cross(tokens[m].values, tokens[source].mask, tokens[source].values)
                for (target, source), cross in zip(pairs, self.cross, strict=True)
                if target == m
            ]
            sequence, real = _with_summary(self.base.summary[m], torch.cat(streams, dim=2), tokens[m].mask)
            summaries.append(own(sequence, real)[:, 0])
        return self.base.mix(torch.cat(summaries, dim=1))


class PlainBottleneck(nn.Module):
    """MBT, modality by modality (Nagrani et al., 2021)."""

    def __init__(self, fusion: BottleneckFusion) -> None:
        super().__init__()
        self.base = copy.deepcopy(fusion)
        self.blocks = nn.ModuleList(
            PlainBlock(block, m) for block in fusion.blocks for m in range(len(fusion.modalities))
        )
        del self.base.blocks

    def forward(self, features: Mapping[str, Features]) -> Tensor:
        streams, masks = [], []
        for m, part in enumerate(self.base.sequences(features)):
            stream, mask = _with_summary(self.base.summary[m], part.values, part.mask)
            streams.append(stream)
            masks.append(mask)
        count = len(streams)
        assert self.base.bottlenecks is not None
        shared = self.base.bottlenecks.expand(len(masks[0]), -1, -1)
        for depth in range(len(self.blocks) // count):
            versions = []
            for m in range(count):
                layer, x, real = self.blocks[depth * count + m], streams[m], masks[m]
                if depth < self.base.fusion_layer:
                    streams[m] = layer(x, x, real)
                    continue
                joint = torch.cat([x, shared], dim=1)
                joint = layer(joint, joint, torch.cat([real, real.new_ones(shared.shape[:2])], dim=1))
                streams[m] = joint[:, : x.shape[1]]
                versions.append(joint[:, x.shape[1] :])
            if versions:
                shared = torch.stack(versions).mean(dim=0)  # the benchmark has every modality present
        return self.base.mix(torch.cat([x[:, 0] for x in streams], dim=1))


class PlainTensor(nn.Module):
    """TFN with the outer product of all modalities formed in full (Zadeh et al., 2017)."""

    def __init__(self, fusion: TensorFusion) -> None:
        super().__init__()
        self.base = copy.deepcopy(fusion)
        count = len(fusion.modalities)
        self.norms = nn.ModuleList(nn.LayerNorm(fusion.width) for _ in range(count))
        self.project = nn.ModuleList(_linear(fusion.project, m) for m in range(count))

    def forward(self, features: Mapping[str, Features]) -> Tensor:
        vectors, _ = self.base.clips(features)
        product = vectors.new_ones(len(vectors), 1)
        for m, (norm, project) in enumerate(zip(self.norms, self.project, strict=True)):
            projected = project(norm(vectors[:, m]))
            extended = torch.cat([projected, projected.new_ones(len(projected), 1)], dim=1)
            product = (product[:, :, None] * extended[:, None, :]).flatten(1)
        weight = self.base.core.flatten(0, 1)
        return self.base.mix(product @ weight)


class PlainLowRank(nn.Module):
    """LMF, rank by rank and modality by modality (Liu et al., 2018)."""

    def __init__(self, fusion: LowRankFusion) -> None:
        super().__init__()
        self.base = copy.deepcopy(fusion)
        self.norms = nn.ModuleList(nn.LayerNorm(fusion.width) for _ in fusion.modalities)

    def forward(self, features: Mapping[str, Features]) -> Tensor:
        vectors, _ = self.base.clips(features)
        ones = vectors.new_ones(len(vectors), 1)
        inputs = [torch.cat([norm(vectors[:, m]), ones], dim=1) for m, norm in enumerate(self.norms)]
        fused = self.base.bias.expand(len(vectors), -1)
        for rank in range(self.base.factors.shape[2]):
            product = torch.ones_like(fused)
            for m, x in enumerate(inputs):
                product = product * (x @ self.base.factors[m, :, rank])
            fused = fused + self.base.rank_weights[0, rank] * product
        return self.base.mix(fused)


STRAIGHTFORWARD: dict[str, Callable[..., nn.Module]] = {
    "mult": PlainMult,
    "bottleneck": PlainBottleneck,
    "tensor": PlainTensor,
    "low_rank": PlainLowRank,
}


def straightforward(name: str, fusion: Fusion) -> nn.Module:
    """The straightforward twin of a fusion, with copies of its weights."""
    return STRAIGHTFORWARD[name](fusion).train(fusion.training)


def _linear(layer: nn.Module, stream: int) -> nn.Linear:
    assert isinstance(layer, StreamLinear)
    _, inputs, outputs = layer.weight.shape
    linear = nn.Linear(inputs, outputs)
    with torch.no_grad():
        linear.weight.copy_(layer.weight[stream].T)
        linear.bias.copy_(layer.bias[stream, 0])
    return linear


def _with_summary(summary: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    sequence = torch.cat([summary.expand(len(values), -1, -1), values], dim=1)
    return sequence, torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
