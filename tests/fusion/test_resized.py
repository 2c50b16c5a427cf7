"""A fusion behind maps to its own width keeps what it promises."""

from __future__ import annotations

import torch

from mmvideo.fusion.late import LateFusion
from mmvideo.fusion.resized import Resized
from mmvideo.types import Features


def test_equals_the_fusion_on_mapped_vectors_and_knows_who_is_absent() -> None:
    torch.manual_seed(0)
    inner = LateFusion(LateFusion.Config(dropout=0.0), ("visual", "text"), 6)
    resized = Resized(inner, 4)
    present = torch.tensor([True, False])
    vectors = {"visual": torch.randn(2, 4), "text": torch.randn(2, 4) * present[:, None]}
    features = {
        "visual": Features(torch.tensor([True, True]), clip=vectors["visual"]),
        "text": Features(present, clip=vectors["text"]),
    }
    out = resized(features).pooled
    mapped = [resized.maps[m](vectors[m]) for m in ("visual", "text")]
    mapped[1] = torch.where(present[:, None], mapped[1], inner.absent[1])
    assert out.shape == (2, 6)
    torch.testing.assert_close(out, inner.mix(torch.cat(mapped, dim=1)))
