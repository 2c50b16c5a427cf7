"""What a model costs: parameters, operations, time and memory."""

from __future__ import annotations

import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmvideo.types import Batch, Tokens

LATENCY_REPEATS = 20
STEP_REPEATS = 5


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """All parameters, and those that are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "parameters": sum(n for n, _ in sizes),
        "trainable_parameters": sum(n for n, trained in sizes if trained),
    }


def flops_per_clip(model: nn.Module, batch: Batch) -> int:
    """Floating-point operations of a forward pass, a clip (multiply and add count as two).

    Matrix products, convolutions and attention are counted; the Fourier transform and element-wise work are
    not, nor are the maps of padding that a fusion leaves out.
    """
    model.eval()
    # With gradients, though none is taken: without, the counter fails on modules that are given a parameter.
    # Fused kernels hide their products from the counter: oneDNN's and cuDNN's LSTM, and flash attention.
    # So do compiled ones.
    with (
        torch.compiler.set_stance("force_eager"),
        _without_fused_lstm(),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        model(batch)
    return round(counter.get_total_flops() / len(batch))


@contextmanager
def _without_fused_lstm() -> Iterator[None]:
    """Not `torch.backends.mkldnn.flags`: that also sets TF32, which warns on machines that cannot have it."""
    switch: Callable[..., tuple[object, ...]] = torch.backends.mkldnn.set_flags
    cudnn = torch.backends.cudnn.enabled
    before, *_ = switch(_enabled=False, _fp32_precision=None)
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        switch(_enabled=before, _fp32_precision=None)
        torch.backends.cudnn.enabled = cudnn


@torch.no_grad()
def latency_ms(model: nn.Module, batch: Batch) -> float:
    """Median milliseconds of a forward pass over one clip (the batch's first), after warming up."""
    model.eval()
    inputs = {m: Tokens(t.values[:1], t.mask[:1], t.time[:1]) for m, t in batch.inputs.items()}
    one = Batch(batch.ids[:1], inputs, batch.labels[:1])
    times = []
    for _ in range(LATENCY_REPEATS + 3):
        start = time.perf_counter()
        model(one).logits.cpu()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[3:])


def step_ms(net: nn.Module, batch: Batch, fabric: Fabric) -> float:
    """Median milliseconds of forward and backward over the batch in training mode, after warming up.

    Loss and optimiser are not counted: they are the same for every fusion, or the objective's own.
    """
    net.train()
    times = []
    for _ in range(STEP_REPEATS + 1):
        start = time.perf_counter()
        fabric.backward(net(batch).logits.float().square().mean())
        if fabric.device.type == "cuda":
            torch.cuda.synchronize(fabric.device)
        times.append(time.perf_counter() - start)
        net.zero_grad(set_to_none=True)
    return 1000 * statistics.median(times[1:])


class PeakMemory:
    """Peak memory in MB since it was made: of the GPU where one is used, else of this process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.init()  # of a GPU that nothing has used yet there are no statistics to reset
            torch.cuda.reset_peak_memory_stats(device)
        elif platform.system() == "Linux":
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, the high-water mark

    def megabytes(self) -> float:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        if platform.system() == "Linux":
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 2**10
        unit = 2**20 if platform.system() == "Darwin" else 2**10  # bytes there, kilobytes elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
