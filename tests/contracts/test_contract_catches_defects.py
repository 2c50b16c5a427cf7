"""The contract itself is tested: for each defect known from published code, a fusion with it must fail."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.contract.fusions import CONTRACT, WIDTH
from mmvideo.fusion import Fusion
from mmvideo.fusion.base import mlp
from mmvideo.layers.attention import Attention
from mmvideo.layers.pooling import MeanPool
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.vocabulary import MODALITIES


class Twin(Fusion):
    """A sound fusion, but for what a subclass does to `vectors` (B, M, D) before the last layers."""

    reads = frozenset({"trunk", "clip"})

    def __init__(self) -> None:
        super().__init__(self.Config(), MODALITIES, WIDTH)
        self.mix = mlp(len(MODALITIES) * WIDTH, WIDTH, 0.0)

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors, present = self.clips(features)
        trunks = [features[m].trunk for m in self.modalities]
        return FusionOutput(self.mix(self.edit(vectors, present, trunks).flatten(1)))

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors


class FactorsInAList(Twin):
    """Low-rank factors as parameters, in a plain list: not in parameters(), never trained nor saved."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = [nn.Parameter(torch.randn(WIDTH, WIDTH)) for _ in MODALITIES]

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return torch.stack([vectors[:, m] @ factor for m, factor in enumerate(self.factors)], dim=1)


class FixedFactors(FactorsInAList):
    """The same as plain tensors, which not even gradients reach."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = [factor.detach() for factor in self.factors]


class UnusedWeight(Twin):
    """Keeps a weight that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.ones(WIDTH))


class AttendsAcrossTheBatch(Twin):
    """`batch_first` forgotten: clips attend to their batch-mates."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors + self.attention(vectors, vectors, vectors, need_weights=False)[0]


class CentredOnALargeBatch(Twin):
    """The same once there are batch-mates enough for a mean."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors - vectors.mean(dim=0) if len(vectors) >= 32 else vectors


class ReadsMoreThanItNames(Twin):
    """Reads trunks where there are any, and asks for none."""

    reads = frozenset({"clip"})

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        read = [MeanPool()(trunk)[0] for trunk in trunks if trunk is not None]
        return vectors + torch.stack(read, dim=1) if read else vectors


class OneKey(Twin):
    """Cross-attention of one vector over one vector: softmax is 1, so the queries are never asked."""

    def __init__(self) -> None:
        super().__init__()
        self.cross: nn.Module = Attention(WIDTH, 2)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        read = self.cross(vectors[:, :1], vectors[:, 1:2], present.new_ones(len(vectors), 1, 1))
        return torch.cat([vectors[:, :1] + read, vectors[:, 1:]], dim=1)


class OneKeyInOneProjection(OneKey):
    """The same with PyTorch's own layer, whose queries, keys and values are rows of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        read = self.cross(vectors[:, :1], vectors[:, 1:2], vectors[:, 1:2], need_weights=False)[0]
        return torch.cat([vectors[:, :1] + read, vectors[:, 1:]], dim=1)


class UnmaskedMean(Twin):
    """Padding counts in the mean."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors + torch.stack([trunk.values.mean(dim=1) for trunk in trunks], dim=1)


class LeakyConvolution(Twin):
    """Masked at the end only: two convolutions carry padding into the last real tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*(nn.Conv1d(WIDTH, WIDTH, 3, padding=1) for _ in range(2)))

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        read = [t.replace_values(self.convolutions(t.values.transpose(1, 2)).transpose(1, 2)) for t in trunks]
        return vectors + torch.stack([MeanPool()(tokens)[0] for tokens in read], dim=1)


class LastStep(Twin):
    """Reads out the last step, `h[-1]`, which may be padding."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors + torch.stack([self.lstm(trunk.values)[1][0][-1] for trunk in trunks], dim=1)


class BidirectionalUnpacked(Twin):
    """The backward LSTM starts in the padding; masked mean of its states."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        states = [t.replace_values(self.lstm(t.values)[0]) for t in trunks]
        return vectors + torch.stack([MeanPool()(tokens)[0] for tokens in states], dim=1)


class NoKeyIsNan(Twin):
    """A key padding mask that hides every key of a clip without modalities."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors + self.attention(vectors, vectors, vectors, key_padding_mask=~present)[0]


class NanInEvaluationOnly(Twin):
    """PyTorch's encoder layer gives a row without keys a number in training, and NaN on its fast path."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, WIDTH, dropout=0.0, batch_first=True)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return self.layer(vectors, src_key_padding_mask=~present)


class NanGradient(Twin):
    """Finite forward, NaN backward: the square root's slope at 0, where nothing is present."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        seen = (vectors + self.absent) * present[..., None]
        return vectors + seen.square().sum(dim=(1, 2), keepdim=True).sqrt()


class BatchNormalised(Twin):
    """BatchNorm over all clips' tokens: a clip depends on its batch-mates."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(WIDTH)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return self.norm(vectors.transpose(1, 2)).transpose(1, 2)


class CentredOnTheBatch(Twin):
    """The same without a layer, and in evaluation too."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors - vectors.mean(dim=0)


class OneScalar(Twin):
    """An early-fusion baseline that ends in one number for all classes."""

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        return FusionOutput(super().forward(features).pooled.mean(dim=1, keepdim=True))


class MissingIsData(Twin):
    """Reads what stands where a modality is missing as if it were data."""

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors = torch.stack([features[m].clip for m in self.modalities], dim=1) + 0 * self.absent
        return FusionOutput(self.mix(vectors.flatten(1)))


class DeafToText(Twin):
    """Names a modality it never reads."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return vectors * vectors.new_tensor([1.0, 1.0, 0.0])[:, None]


class OrderOfTheMapping(Twin):
    """Takes the modalities as they come."""

    def forward(self, features: Mapping[str, Features]) -> FusionOutput:
        vectors = [torch.where(f.present[:, None], f.clip, self.absent[0]) for f in features.values()]
        return FusionOutput(self.mix(torch.cat(vectors, dim=1)))


class AlwaysDropout(Twin):
    """Functional dropout, which does not know that this is evaluation."""

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        return F.dropout(vectors, 0.5)


class MasksByFloat32(Twin):
    """Hides absent modalities by the lowest float32, which bfloat16 rounds to minus infinity: then NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(WIDTH, 1)

    def edit(self, vectors: Tensor, present: Tensor, trunks: list[Tokens]) -> Tensor:
        lowest = (~present).float() * torch.finfo(torch.float32).min
        scores = self.score(vectors).squeeze(2) + lowest.to(self.score(vectors).dtype)
        return vectors * (1 + torch.softmax(scores, dim=1)[..., None])


DEFECTS = [
    (FactorsInAList, "every_trained_tensor_is_registered", "train eval"),
    (FactorsInAList, "state_survives_a_round_trip", "train eval"),
    (FixedFactors, "state_survives_a_round_trip", "train eval"),
    (UnusedWeight, "every_parameter_gets_gradient", "train eval"),
    (AttendsAcrossTheBatch, "alone_is_as_in_a_batch", "train eval"),
    (CentredOnALargeBatch, "alone_is_as_in_a_batch", "train eval"),
    (ReadsMoreThanItNames, "reads_the_levels_it_names", "train eval"),
    (OneKey, "every_parameter_gets_gradient", "train eval"),
    (OneKeyInOneProjection, "every_parameter_gets_gradient", "train eval"),
    (UnmaskedMean, "padding_changes_nothing", "train eval"),
    (UnmaskedMean, "longer_padding_changes_nothing", "train eval"),
    (LeakyConvolution, "padding_changes_nothing", "train eval"),
    (LastStep, "longer_padding_changes_nothing", "train eval"),
    (BidirectionalUnpacked, "longer_padding_changes_nothing", "train eval"),
    (NoKeyIsNan, "finite_for_every_presence", "train eval"),
    (NanInEvaluationOnly, "finite_for_every_presence", "eval"),
    (NanGradient, "finite_for_every_presence", "train"),
    (BatchNormalised, "alone_is_as_in_a_batch", "train"),
    (CentredOnTheBatch, "alone_is_as_in_a_batch", "train eval"),
    (OneScalar, "shape_and_dtype", "train eval"),
    (MissingIsData, "padding_changes_nothing", "train eval"),
    (DeafToText, "reacts_to_each_modality", "train eval"),
    (OrderOfTheMapping, "mapping_order_changes_nothing", "train eval"),
    (AlwaysDropout, "same_twice", "train eval"),
    (MasksByFloat32, "finite_in_bfloat16", "train eval"),
]
CHECKS = {check.__name__: check for check in CONTRACT}


@pytest.mark.parametrize(
    ("broken", "caught_by", "mode"),
    [(broken, caught_by, mode) for broken, caught_by, modes in DEFECTS for mode in modes.split()],
)
def test_a_known_defect_fails(broken: type[Twin], caught_by: str, mode: str) -> None:
    with pytest.raises(AssertionError):
        CHECKS[caught_by](broken, mode == "train")


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", CHECKS)
def test_the_twin_without_a_defect_passes(name: str, mode: str) -> None:
    CHECKS[name](Twin, mode == "train")


def test_every_promise_has_a_fusion_that_breaks_it() -> None:
    assert {caught_by for _, caught_by, _ in DEFECTS} == set(CHECKS)


@pytest.mark.parametrize(
    ("broken", "check", "training"),
    [
        (BatchNormalised, "alone_is_as_in_a_batch", False),
        (NanInEvaluationOnly, "finite_for_every_presence", True),
    ],
)
def test_some_defects_show_in_one_mode_only(broken: type[Twin], check: str, training: bool) -> None:
    """So the contract has to be run in both."""
    CHECKS[check](broken, training)
