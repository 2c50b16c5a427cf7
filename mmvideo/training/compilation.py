"""A model's parts compiled, where that works; elsewhere they run as written, and the reason is told."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import shorten

import torch
from torch import nn

from mmvideo.model import FusionModel
from mmvideo.terminal import note


def compile_parts(
    model: nn.Module, step: Callable[[], object], *, backend: str | Callable[..., object] = "inductor"
) -> dict[str, str]:
    """Compile the encoders and the fusion, each by itself: what one of them cannot do leaves the others be.

    Each is tried on a step before training begins, so that training's time is without the compiler's. A size
    that turns out to vary between batches is left open in the second version, so that there is no third.

    Args:
        step: a training step's forward and backward on a real batch. It draws as if it had not been.

    Returns:
        By part that runs as written, why.
    """
    if not isinstance(model, FusionModel):
        return {"model": "is not made of encoders and a fusion"}
    reasons: dict[str, str] = {}
    for name, part in {**dict(model.encoders.items()), "fusion": model.fusion}.items():
        part.compile(backend=backend)
        try:
            with torch.random.fork_rng(_devices(part)):
                step()
        except Exception as error:
            part._compiled_call_impl = None  # torch has no public way back
            reasons[name] = shorten(f"{type(error).__name__}: {error}", 200)
            note(f"{name} is not compiled, and runs as written. {reasons[name]}")
        finally:
            model.zero_grad(set_to_none=True)
    return reasons


def _devices(part: nn.Module) -> list[torch.device]:
    return list({p.device for p in part.parameters() if p.device.type == "cuda"})
