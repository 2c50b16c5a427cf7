"""Compiled parts: they give what they gave, leave no trace of having been tried, and fail one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmvideo.data.collate import bucket

TRY = """
import json
import torch
from tiny_training import tiny_batch, tiny_model
from mmvideo.runs.costs import flops_per_clip
from mmvideo.training.compilation import compile_parts

MODALITIES = ("visual", "audio")
torch._dynamo.config.fail_on_recompile_limit_hit = True  # else, what is beyond it runs as written, untold
torch._dynamo.config.recompile_limit = 1  # for parts that share code, as for more parts under torch's own
told = {}
for refused in ("nothing", "gelu", "step"):
    graphs = []

    def compiler(graph, inputs):
        if refused in graph.code:
            raise RuntimeError(f"cannot do {refused}, and a traceback")
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    model = tiny_model(MODALITIES)

    def step(size=6):
        if refused == "step":
            raise ValueError("wrong as written")
        model(tiny_batch(MODALITIES, size, 0)).logits.square().mean().backward()

    batch = tiny_batch(MODALITIES, 6, 0)
    expected, operations = model.eval()(batch).logits, flops_per_clip(model, batch)
    drawn, names = torch.get_rng_state(), list(model.state_dict())
    model.train()
    found = told[refused] = {"reasons": compile_parts(model, step, backend=compiler), "graphs": len(graphs)}
    found["draws"] = torch.equal(torch.get_rng_state(), drawn)
    found["no gradients"] = all(p.grad is None for p in model.parameters())
    found["names"] = list(model.state_dict()) == names
    if refused != "step":
        step(5)
        made = len(graphs)
        for size in (7, 3, 4):
            step(size)
        found["later graphs"] = len(graphs) - made
    found["outputs"] = torch.allclose(model.eval()(batch).logits, expected, rtol=0, atol=1e-6)
    found["operations"] = flops_per_clip(model, batch) == operations
print(json.dumps(told))
"""
SAME = ("draws", "no gradients", "names", "outputs", "operations")


@pytest.mark.timeout(300)
def test_what_a_compiler_cannot_take_runs_as_written() -> None:
    """In a process of its own: here, shape checks wrap every function."""
    fixtures = Path(__file__).parents[1] / "fixtures"
    paths = os.pathsep.join([str(fixtures), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRY], env=environment, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    for refused, found in told.items():
        assert all(found[name] for name in SAME), (refused, found)
    assert told["nothing"]["reasons"] == {}
    assert told["nothing"]["graphs"] > 0
    assert told["nothing"]["later graphs"] == 0  # after two sizes, any
    assert set(told["gelu"]["reasons"]) == {"fusion"}  # which alone has one
    assert "cannot do gelu" in told["gelu"]["reasons"]["fusion"]
    assert f"fusion is not compiled, and runs as written. {told['gelu']['reasons']['fusion']}" in done.stderr
    assert set(told["step"]["reasons"]) == {"visual", "audio", "fusion"}


@pytest.mark.parametrize(("longest", "lengths"), [(16, 4), (400, 4), (33, 4), (1, 1), (3, 3)])
def test_windows_of_one_length_are_hardly_padded(longest: int, lengths: int) -> None:
    padded = {-(-n // bucket(longest)) * bucket(longest) for n in range(1, longest + 1)}
    assert len(padded) == lengths
    assert max(padded) - longest < 4
