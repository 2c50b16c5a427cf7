"""The benchmark's written-out formulas compute what the library does: else their times would not compare."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "experiments" / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("fusion_speed")


@pytest.mark.parametrize("name", ["mult", "bottleneck", "tensor", "low_rank"])
def test_outputs_and_input_gradients_agree(benchmark, name: str) -> None:
    fusion = benchmark.make(name, 16)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.3)
    gradients = []
    for version in (fusion, benchmark.straightforward(name, fusion)):
        features = benchmark.draw(3, 8, 16)
        out = version(features)
        pooled = out if isinstance(out, torch.Tensor) else out.pooled
        pooled.square().sum().backward()
        leaves = [leaf for f in features.values() for leaf in (f.trunk.values, f.clip)]
        gradients.append([pooled, *(leaf.grad for leaf in leaves if leaf.grad is not None)])
    assert len(gradients[0]) == len(gradients[1]) == 4
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4 * float(plain.detach().abs().max()))


def test_it_prints_a_row_for_each_case(benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--widths", "16", "--tokens", "4", "--threads", "1", "--batch", "2", "--repeats", "1"]
    benchmark.main(["--fusions", "mult", "tensor", *small])
    out = capsys.readouterr().out
    assert re.search(r"^mult +16 +4 +1 +[\d.]+ +[\d.]+ +[\d.]+$", out, flags=re.MULTILINE)
    assert re.search(r"^tensor +16 +4 +1 ", out, flags=re.MULTILINE)
    assert re.search(r"^hierarchical +[\d.]+ +[\d,]+$", out, flags=re.MULTILINE)


def test_batches_of_similar_length_hold_every_clip_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    padding = importlib.import_module("padding")
    lengths = padding.draw_lengths(1000, 50, together=True)
    assert (lengths >= 10).all()
    waste = {}
    for cut in (padding.random_batches, padding.bucketed_batches):
        batches = cut(lengths, torch.Generator().manual_seed(0))
        assert torch.cat(batches).sort().values.tolist() == list(range(1000))
        waste[cut] = sum(int(lengths[b, 0].max()) * len(b) for b in batches) / int(lengths[:, 0].sum())
    assert waste[padding.bucketed_batches] < 1.15 < 1.5 < waste[padding.random_batches]


def test_the_padding_benchmark_prints_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    padding = importlib.import_module("padding")
    padding.main(["--fusions", "mult", "--tokens", "5", "--clips", "40", "--rounds", "1"])
    assert re.search(r"^mult +5 +one +[\d.]+ +[\d.]+ +[\d.]+$", capsys.readouterr().out, flags=re.MULTILINE)
