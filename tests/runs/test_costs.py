"""Costs of models whose costs are known."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from mmvideo.components import FUSIONS, EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.model import build_model
from mmvideo.runs.costs import PeakMemory, flops_per_clip, latency_ms, parameter_counts, step_ms
from mmvideo.types import Batch, Prediction, Tokens

CLIPS, STEPS, INPUTS = 3, 5, 8


def batch() -> Batch:
    tokens = Tokens(
        torch.randn(CLIPS, STEPS, INPUTS),
        torch.ones(CLIPS, STEPS, dtype=torch.bool),
        torch.zeros(CLIPS, STEPS),
    )
    return Batch(("a", "b", "c"), {"visual": tokens}, torch.zeros(CLIPS, dtype=torch.long))


class OnValues(nn.Module):
    """A module applied to a batch's frames."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, batch: Batch) -> Prediction:
        out = self.inner(batch.inputs["visual"].values)
        return Prediction(out[0] if isinstance(out, tuple) else out, {})


class SelfAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]


def test_parameters_and_those_that_are_trained() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    assert parameter_counts(model) == {"parameters": 15 + 8, "trainable_parameters": 8}


@pytest.mark.parametrize(("inner", "expected"), [
    (nn.Linear(INPUTS, 6), STEPS * 2 * INPUTS * 6),
    # four gates, each reads input and state
    (nn.LSTM(INPUTS, 7, batch_first=True), STEPS * 2 * 4 * 7 * (INPUTS + 7)),
    # every item with every item, once for the scores and once for the values
    (SelfAttention(), 2 * 2 * STEPS * STEPS * INPUTS),
    (nn.Conv1d(STEPS, 2, 3, padding=1), INPUTS * 2 * 3 * STEPS * 2),
], ids=["linear", "lstm", "attention", "convolution"])  # fmt: skip
def test_operations_a_clip(inner: nn.Module, expected: int) -> None:
    assert flops_per_clip(OnValues(inner), batch()) == expected


def test_counting_leaves_the_fast_kernels_on() -> None:
    """They are off while it counts: oneDNN's and cuDNN's LSTM are one operation that hides its products."""

    def switches() -> tuple[object, object]:
        return torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled

    class Looks(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(switches())
            return super().forward(x)

    seen: list[tuple[bool, bool]] = []
    before = switches()
    flops_per_clip(OnValues(Looks(INPUTS, 6)), batch())
    assert seen == [(False, False)]
    assert switches() == before


def test_latency_is_of_one_clip_in_evaluation_mode() -> None:
    seen: list[tuple[int, bool]] = []

    class Slow(nn.Module):
        def forward(self, batch: Batch) -> Prediction:
            seen.append((len(batch), self.training))
            time.sleep(0.004)
            return Prediction(torch.zeros(len(batch), 2), {})

    assert 4 <= latency_ms(Slow(), batch()) < 40
    assert set(seen) == {(1, False)}


def test_a_step_is_forward_and_backward_over_all_clips_in_training_mode() -> None:
    seen: list[tuple[int, bool, bool]] = []

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(CLIPS, 2))

        def forward(self, batch: Batch) -> Prediction:
            seen.append((len(batch), self.training, self.weight.grad is None))
            time.sleep(0.004)
            return Prediction(self.weight * 1, {})

    assert 4 <= step_ms(Slow().eval(), batch(), Fabric(accelerator="cpu")) < 40
    assert set(seen) == {(CLIPS, True, True)}


def test_peak_memory_is_the_most_there_was_since_it_was_made() -> None:
    block = np.ones(200 * 2**17)  # 200 MB
    del block
    memory = PeakMemory(torch.device("cpu"))
    before = memory.megabytes()
    block = np.ones(100 * 2**17)
    del block
    assert 80 < memory.megabytes() - before < 150


@pytest.mark.parametrize("name", sorted(set(FUSIONS) - {"single"}))
def test_every_fusion_can_be_counted(name: str) -> None:
    """Whole models: the count holds the operations of encoders and fusion."""
    torch.manual_seed(0)
    sound = EncoderChoice.of("spectrogram_cnn", channels=(2, 2, 4), mel_bins=16)
    words = EncoderChoice.of("transformer", layers=1, hidden=16)
    config = RunConfig(
        width=16,
        inputs={"audio": Input.of("audio", sound), "text": Input.of("text", words)},
        fusion=FusionChoice.of(name),
    )
    hops = Tokens(torch.randn(2, 20, 160), torch.ones(2, 20).bool(), torch.arange(20.0).expand(2, 20))
    pieces = Tokens(torch.ones(2, 4).long(), torch.ones(2, 4).bool(), torch.arange(4.0).expand(2, 4))
    both = Batch(("a", "b"), {"audio": hops, "text": pieces}, torch.zeros(2).long())
    model = build_model(config, 3, {"text": 10})
    counted = flops_per_clip(model, both)
    assert counted > 2 * 3 * 16, "the head alone needs as many"
    assert all(p.grad is None for p in model.parameters()), "counting leaves no gradients"


def test_a_gpu_that_nothing_has_used_yet_has_its_peak_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's allocator knows no device before CUDA is initialised, and raises."""
    begun: list[str] = []
    monkeypatch.setattr(torch.cuda, "init", lambda: begun.append("CUDA"))

    def reset(device: torch.device) -> None:
        assert begun == ["CUDA"], "Allocator not initialized for device"
        begun.append(str(device))

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3 * 2**20)
    assert PeakMemory(torch.device("cuda", 0)).megabytes() == 3
    assert begun == ["CUDA", "cuda:0"]
