"""Which fusions `torch.compile` takes whole: one graph, no break."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmvideo.components import FUSIONS

# Why a fusion cannot be one graph:
BREAKS = {"early": "the number of steps of its time grid is read from the batch's times (.item())"}

TRACE = """
import sys
import torch
from mmvideo.contract.fusions import WIDTH, draw
from mmvideo.contract.promises import presence_patterns
from mmvideo.components import FusionChoice

for name in sys.argv[1:]:
    modalities = ("audio",) if name == "single" else ("audio", "text")
    torch.manual_seed(0)
    fusion = FusionChoice.of(name).build(modalities, WIDTH).eval()
    features = draw(modalities, presence_patterns(len(modalities)))
    compiled = torch.compile(fusion, fullgraph=True, backend="eager", dynamic=False)
    with torch.no_grad():
        try:
            same = torch.allclose(compiled(features).pooled, fusion(features).pooled, atol=1e-6)
            print(name, "whole" if same else "differs")
        except Exception as error:
            print(name, "breaks", type(error).__module__.split(".")[1])
"""


def trace(names: list[str]) -> dict[str, str]:
    """What tracing each fusion came to. In a process of its own: here, shape checks wrap every function."""
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", TRACE, *names],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.timeout(600)
def test_every_fusion_is_one_graph_or_listed() -> None:
    expected = {name: "breaks _dynamo" if name in BREAKS else "whole" for name in FUSIONS}
    assert trace(sorted(FUSIONS)) == expected


def test_the_list_names_registered_fusions() -> None:
    assert set(BREAKS) <= set(FUSIONS)
