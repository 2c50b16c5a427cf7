"""A frozen backbone's features, computed once for all runs that use it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.config import RunConfig
from mmvideo.data.transforms import ClipTransform
from mmvideo.encoders.visual import CnnLstm
from mmvideo.files import locked
from mmvideo.progress import tracked
from mmvideo.store.encoded import FrameFeatures
from mmvideo.store.store import Store

FRAMES_AT_ONCE = 64


@torch.no_grad()
def frozen_features(
    config: RunConfig, store: Store, keys: Mapping[str, str], *, progress: bool = False
) -> FrameFeatures:
    """The features of every clip's centre crops under `visual.backbone`; what is missing is computed first.

    They are kept in the store under a hash of frames, the backbone's weights, crop and pixel range, so that
    a change of any of these is a miss, and never a stale hit.

    Args:
        keys: clip id → key in the store, for all clips that will be read.

    Raises:
        InputError: the backbone or its weights cannot be used.
    """
    device = "cuda" if config.runtime.device != "cpu" and torch.cuda.is_available() else "cpu"
    encoder = CnnLstm(config.visual, config.width, frozenset({"stem"}), config.data.normalization)
    encoder.eval().to(device)
    made_by = {
        "backbone": config.visual.backbone,
        "weights": weights_digest(encoder.cnn),
        "crop_size": config.data.crop_size,
        "normalization": config.data.normalization,
    }
    features = FrameFeatures(store.root, keys, made_by, encoder.features)
    if not features.missing():
        return features
    transform = ClipTransform(config.data, training=False)
    with locked(
        store.root / "features", waiting=f"Another process computes features in {store.root}; waiting."
    ):
        todo = features.missing()
        for name in tracked(todo, len(todo), "Computing features of frames", progress):
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
