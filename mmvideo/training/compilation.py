"""A model's parts compiled, where that works; elsewhere they run as written, and the reason is told."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import shorten

import torch
from torch import nn

from mmvideo.data.shares import Part
from mmvideo.model import FusionModel
from mmvideo.terminal import note
from mmvideo.training.session import Session
from mmvideo.types import Batch, EncodedBatch, Tokens

VERSIONS = 8
"""Of a part: in training and in evaluation, of the first size, of any other, of one clip; and to spare."""


def compile_parts(
    model: nn.Module,
    step: Callable[[], object],
    *,
    backend: str | Callable[..., object] = "inductor",
    tell: bool = True,
) -> dict[str, str]:
    """Compile the encoders and the fusion, each by itself: what one of them cannot do leaves the others be.

    Each is tried on a step before training begins, so that training's time is without the compiler's. A size
    that turns out to vary between batches is left open in the second version, so that there is no third.

    Args:
        step: what is to be compiled, done once, such as `every_kind_of_step`. It draws as if it had not been.
        tell: whether to print what runs as written.

    Returns:
        By part that runs as written, why.
    """
    if not isinstance(model, FusionModel):
        return {"model": "is not made of encoders and a fusion"}
    reasons: dict[str, str] = {}
    parts = {**dict(model.encoders.items()), "fusion": model.fusion}
    # torch counts versions by source line, and encoders share `forward`: beyond its limit, none is made
    limits = torch._dynamo.config
    limits.recompile_limit = max(limits.recompile_limit, VERSIONS * len(parts))
    for name, part in parts.items():
        part.compile(backend=backend)
        try:
            with torch.random.fork_rng(_devices(part)):
                step()
        except Exception as error:
            part._compiled_call_impl = None  # torch has no public way back
            reasons[name] = shorten(f"{type(error).__name__}: {error}", 200)
            if tell:
                note(f"{name} is not compiled, and runs as written. {reasons[name]}")
        finally:
            model.zero_grad(set_to_none=True)
    return reasons


def every_kind_of_step(session: Session) -> Callable[[], None]:
    """What a run has its model compute: forward and backward in training, and forward in evaluation; of the
    first validation batch, and of half of it, after which no size is new but that of one clip."""
    first = next(iter(session.data.val_batches())).to(session.fabric.device).finished()
    whole = first.own if isinstance(first, Part) else first
    half = len(whole) // 2
    batches = [whole] if isinstance(whole, EncodedBatch) or half < 2 else [whole, _first(whole, half)]

    def step() -> None:
        for batch in batches:
            session.net.train()
            session.fabric.backward(session.net(batch).logits.float().square().mean())
            session.net.eval()
            with torch.no_grad():
                session.net(batch)

    return step


def _first(batch: Batch, clips: int) -> Batch:
    inputs = {m: Tokens(t.values[:clips], t.mask[:clips], t.time[:clips]) for m, t in batch.inputs.items()}
    return Batch(batch.ids[:clips], inputs, batch.labels[:clips])


def _devices(part: nn.Module) -> list[torch.device]:
    return list({p.device for p in part.parameters() if p.device.type == "cuda"})
