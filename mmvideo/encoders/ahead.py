"""A frozen backbone's features, computed once for all runs that use it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.encoders.visual import CnnLstm
from mmvideo.files import locked
from mmvideo.modalities.base import ClipSource
from mmvideo.modalities.visual import Visual
from mmvideo.progress import tracked
from mmvideo.store.encoded import FrameFeatures

FRAMES_AT_ONCE = 64


@torch.no_grad()
def encode_frames(
    config: CnnLstm.Config,
    visual: Visual,
    source: ClipSource,
    device: torch.device,
    *,
    progress: bool = False,
) -> FrameFeatures:
    """The features of every clip's centre crops under the backbone; what is missing is computed first.

    They are kept in the store under a hash of frames, the backbone's weights, crop and pixel range, so that
    a change of any of these is a miss, and never a stale hit.

    Args:
        visual: gives the crops.
        source: the clips that will be read.

    Raises:
        InputError: the backbone or its weights cannot be used.
    """
    encoder = CnnLstm(config, None, 1, frozenset({"stem"}))  # of the width, nothing depends here
    encoder.eval().to(device)
    made_by = {
        "backbone": config.backbone,
        "weights": weights_digest(encoder.cnn),
        "crop_size": config.picture_size,
        "normalization": config.normalization,
    }
    store, keys = source.store, source.keys
    features = FrameFeatures(store.root, keys, made_by, encoder.features)
    if not features.missing():
        return features
    transform = visual.transforms[False]
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
