"""The whole model: parts that are swapped one at a time, logits for every clip, weights to look at."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmvideo.config import AudioConfig, DataConfig, NamedConfig, RunConfig, TextConfig, VisualConfig
from mmvideo.errors import InputError
from mmvideo.model import FusionModel, build_model
from mmvideo.types import Batch, Tokens

SMALL: dict[str, Any] = {
    "width": 16,
    "data": DataConfig(frame_size=16, crop_size=16),
    "visual": VisualConfig(channels=(4, 8)),
    "audio": AudioConfig(mel_bins=16, channels=(4, 8), trunk_layers=1),
    "text": TextConfig(layers=1, heads=2, hidden=16),
}
VOCABULARY = 20


def model(fusion: str = "late", **changes: Any) -> FusionModel:
    torch.manual_seed(0)
    return build_model(RunConfig(**SMALL | {"fusion": NamedConfig(name=fusion)} | changes), 5, VOCABULARY)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Three clips: one complete, one without sound, one without words."""
    generator = torch.Generator().manual_seed(0)

    def tokens(values: torch.Tensor, lengths: list[int], seconds: float) -> Tokens:
        steps = torch.arange(values.shape[1])
        return Tokens(values, steps < torch.tensor(lengths)[:, None], ((steps + 0.5) * seconds).expand(3, -1))

    inputs = {
        "visual": tokens(
            torch.randint(0, 256, (3, 4, 3, 16, 16), generator=generator).byte(), [4, 2, 4], 0.125
        ),
        "audio": tokens(torch.randn(3, 40, 160, generator=generator), [40, 0, 20], 0.01),
        "text": tokens(torch.randint(2, VOCABULARY, (3, 6), generator=generator), [6, 3, 0], 0.2),
    }
    return Batch(("a", "b", "c"), inputs, torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("fusion", ["early", "late", "late_sum", "hierarchical"])
def test_logits_for_every_clip(fusion: str, batch: Batch) -> None:
    logits, diagnostics, *_ = model(fusion)(batch)
    assert logits.shape == (3, 5)
    assert torch.isfinite(logits).all()
    assert all(not value.requires_grad for value in diagnostics.values())


def test_the_head_is_linear_in_what_the_fusion_gives(batch: Batch) -> None:
    whole = model().eval()
    features = {name: encoder(batch.inputs[name]) for name, encoder in whole.encoders.items()}
    pooled = whole.fusion(features).pooled
    torch.testing.assert_close(whole(batch).logits, pooled @ whole.head.weight.T + whole.head.bias)


def test_weights_tell_which_tokens_counted(batch: Batch) -> None:
    diagnostics = model()(batch).diagnostics
    for name, present in {"visual": [1, 1, 1], "audio": [1, 0, 1], "text": [1, 1, 0]}.items():
        torch.testing.assert_close(diagnostics[f"{name}_weights"].sum(dim=1), torch.tensor(present).float())


def test_adding_votes_is_additive_in_the_logits(batch: Batch) -> None:
    """With late_sum, what one modality changes in the logits does not depend on another modality."""
    whole = model("late_sum").eval()

    def logits(visual: int, text: int) -> torch.Tensor:
        """Clips' pictures from one clip and words from another."""
        inputs = {
            name: Tokens(*(part[index : index + 1] for part in (tokens.values, tokens.mask, tokens.time)))
            for name, tokens, index in (
                ("visual", batch.inputs["visual"], visual),
                ("audio", batch.inputs["audio"], 0),
                ("text", batch.inputs["text"], text),
            )
        }
        return whole(Batch(("x",), inputs, torch.tensor([0]))).logits

    torch.testing.assert_close(logits(0, 0) - logits(1, 0), logits(0, 1) - logits(1, 1), rtol=0, atol=1e-5)


def test_swapping_the_fusion_swaps_nothing_else() -> None:
    late, late_sum = model("late").encoders.state_dict(), model("late_sum").encoders.state_dict()
    assert late.keys() == late_sum.keys()
    assert all(torch.equal(late[name], late_sum[name]) for name in late)


def test_what_no_fusion_reads_is_not_built() -> None:
    early = {name for name, _ in model("early").encoders.named_parameters()}
    assert not {name for name in early if "lstm" in name or "pool" in name or "transformer" in name}
    assert set(model("single", modalities=("audio",)).encoders) == {"audio"}


@pytest.mark.parametrize(("changes", "message"), [
    ({"fusion": NamedConfig(name="lat")}, r"Unknown fusion 'lat'. Did you mean 'late'\?"),
    ({"fusion": NamedConfig(name="json:loads")}, "fusion 'json:loads' is not a subclass of mmvideo.fusion"),
    ({"fusion": NamedConfig(name="late", options={"width": 3})}, "Unknown option of fusion 'late' 'width'"),
    ({"visual": VisualConfig(name="resnet_lstm")}, "Unknown visual encoder 'resnet_lstm'"),
    ({"visual": VisualConfig(backbone="resnet19")}, "visual backbone 'resnet19'. Did you mean 'resnet1"),
    ({"visual": VisualConfig(backbone="resnet18", frozen=True)}, "visual.frozen needs visual.weights"),
    ({"visual": VisualConfig(frozen=True)}, "visual.frozen"),
    ({"visual": VisualConfig(weights="DEFAULT")}, "visual.weights"),
    ({"fusion": NamedConfig(name="early", options={"step_seconds": 0.0})}, "early.: step_seconds: Input"),
])  # fmt: skip
def test_what_cannot_be_built(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_model(RunConfig(**SMALL | {"fusion": NamedConfig(name="late")} | changes), 5, VOCABULARY)
