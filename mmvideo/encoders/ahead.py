"""A frozen backbone's features, computed once for all runs that use it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.files import locked
from mmvideo.modalities.base import ClipSource
from mmvideo.modalities.visual import Visual
from mmvideo.progress import tracked
from mmvideo.store.encoded import FrameFeatures

FRAMES_AT_ONCE = 64


@runtime_checkable  # for the checks of types in tests
class FrameEncoder(Protocol):
    """A backbone that gives features of single frames."""

    features: int
    """Length of a frame's vector."""

    def frame_features(self, frames: Tensor) -> Tensor:
        """Of each frame, (N, 3, H, W) uint8 → (N, features)."""


@torch.no_grad()
def encode_frames(
    encoder: FrameEncoder,
    made_by: Mapping[str, Any],
    visual: Visual,
    source: ClipSource,
    device: torch.device,
) -> FrameFeatures:
    """The features of every clip's centre crops under a frozen backbone; what is missing is computed first.

    They are kept in the store under a hash of the frames and of `made_by`, so that a change of any of these
    is a miss, and never a stale hit.

    Args:
        encoder: in evaluation mode, on the device.
        made_by: what decides the features beside the frames: backbone, weights, crop, pixel range.
        visual: gives the crops.
        source: the clips that will be read.
    """
    store, keys = source.store, source.keys
    features = FrameFeatures(store.root, keys, made_by, encoder.features)
    if not features.missing():
        return features
    transform = visual.transforms[False]
    with locked(
        store.root / "features", waiting=f"Another process computes features in {store.root}; waiting."
    ):
        todo = features.missing()
        for name in tracked(todo, len(todo), "Computing features of frames"):
            stored = store.read(keys[name]).frames
            values = torch.zeros(0, encoder.features)
            if len(stored):
                frames = transform(torch.from_numpy(stored).permute(0, 3, 1, 2), 0)
                parts = [encoder.frame_features(part.to(device)) for part in frames.split(FRAMES_AT_ONCE)]
                values = torch.cat(parts).cpu()
            features.write(name, values.numpy().astype(np.float32))
    return features


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over all parameters and buffers, with their names and shapes; 64 hex digits."""
    digest = hashlib.sha256()
    state: dict[str, Any] = network.state_dict()
    for name, tensor in sorted(state.items()):
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()
