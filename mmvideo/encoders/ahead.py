"""What a frozen model makes of clips, computed once for all runs that use it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.files import locked
from mmvideo.modalities.base import ClipSource, Modality
from mmvideo.modalities.visual import Visual
from mmvideo.progress import tracked
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import EncodedClips

FRAMES_AT_ONCE = 64
Encode = Callable[[Clip, OpenClip], tuple[Tensor, Tensor]]
"""A clip → its tokens (N, F), and their centres (N,) in seconds from its start; N is 0 where it has none."""


@torch.no_grad()
def encode_clips(
    encode: Encode, made_by: Mapping[str, Any], modality: Modality, source: ClipSource, *, half: bool = False
) -> EncodedClips:
    """Every clip's tokens under a frozen model; what is missing is computed first, one clip after another.

    They are kept in the store under a hash of the clip, of what else is read of it and how, and of `made_by`,
    so that a change of any of these is a miss, and never a stale hit.

    Args:
        encode: the model, in evaluation mode, on what the modality gives of a whole clip.
        made_by: what decides the tokens beside the clip: model, weights, layer, windows, preprocessing.
        source: the clips that will be read.
        half: keep them in half precision.
    """
    store, keys = source.store, source.keys
    clips = {clip.id: clip for clip in source.clips}
    beside = {name: modality.beside(clip) for name, clip in clips.items()}
    encoded = EncodedClips(store.root, keys, {**made_by, **modality.reading}, modality.name, beside, half)
    if not encoded.missing():
        return encoded
    with locked(store.root / "features", waiting=f"Another process encodes clips in {store.root}; waiting."):
        todo = encoded.missing()
        for name in tracked(todo, len(todo), f"Encoding {modality.name}"):
            with store.open(keys[name]) as stored:
                tokens, times = encode(clips[name], stored)
            encoded.write(name, tokens.float().cpu().numpy(), times.double().cpu().numpy())
    return encoded


@runtime_checkable  # for the checks of types in tests
class FrameEncoder(Protocol):
    """A backbone that gives features of single frames."""

    features: int
    """Length of a frame's vector."""

    def frame_features(self, frames: Tensor) -> Tensor:
        """Of each frame, (N, 3, H, W) uint8 → (N, features)."""


def encode_frames(
    encoder: FrameEncoder,
    made_by: Mapping[str, Any],
    visual: Visual,
    source: ClipSource,
    device: torch.device,
    *,
    half: bool = False,
) -> EncodedClips:
    """One vector for each stored frame, as a frozen backbone makes it of the frame's centre crop.

    Args:
        encoder: in evaluation mode, on the device.
        made_by: what decides the features beside the frames: backbone, weights, crop, pixel range.
        half: keep them in half precision.
    """

    def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
        times = torch.from_numpy(stored.clip.frame_times)
        parts = [torch.zeros(0, encoder.features)]
        for indices in np.split(np.arange(len(times)), range(FRAMES_AT_ONCE, len(times), FRAMES_AT_ONCE)):
            if len(indices):
                frames = torch.from_numpy(stored.frames(indices)).permute(0, 3, 1, 2)
                parts.append(encoder.frame_features(visual.transforms[False](frames, 0).to(device)).cpu())
        return torch.cat(parts), times

    return encode_clips(encode, made_by, visual, source, half=half)


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
