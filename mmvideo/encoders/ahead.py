"""What a frozen model makes of clips, computed once for all runs that use it, by any number of processes."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmvideo.clips.manifest import Clip
from mmvideo.errors import InputError
from mmvideo.files import Busy, Unwritable, locked
from mmvideo.modalities.base import ClipSource, EncodeNow, Modality
from mmvideo.modalities.visual import Visual
from mmvideo.progress import tracked
from mmvideo.schema import Part
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import EncodedClips
from mmvideo.terminal import note
from mmvideo.vocabulary import counted

FRAMES_AT_ONCE = 64
WAIT_SECONDS = 0.2
"""Until a clip that another process is at is looked for again."""
NAMED = 3
"""Clips that a message names."""
ON_TOP = {"model", "weights", "frozen", "tune", "cached", "half", "trunk", "clip_pool", "dropout"} | {
    "views",
    "summary",
    "parts",
}
"""Options of encoders that do not decide what is kept, or that count by the content of their files."""
Encode = Callable[[Clip, OpenClip], tuple[Tensor, Tensor]]
"""A clip → its tokens (N, F), and their centres (N,) in seconds from its start; N is 0 where it has none."""


@dataclass(frozen=True)
class Ahead:
    """A frozen model, in evaluation mode, as it encodes whole clips."""

    encode: Encode
    made_by: Mapping[str, Any]
    """What decides the tokens beside the clip: model, weights, layer, windows, preprocessing."""
    half: bool = False
    """Tokens are kept in half precision."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """What is to be known of clips that were encoded, as it follows upon "3 clips " → their ids."""

    def place(self, modality: Modality, source: ClipSource) -> EncodedClips:
        """Where the clips' tokens are kept: in the store, under a hash of the clip, of what else is read of
        it and how, and of `made_by`, so that a change of any of these is a miss, and never a stale hit."""
        beside = {clip.id: modality.beside(clip) for clip in source.clips}
        made_by = {**self.made_by, **modality.reading}
        if modality.view is not None:
            made_by |= {"view": modality.view, "changes": modality.config.model_dump(mode="json")}
        return EncodedClips(source.store.root, source.keys, made_by, modality.name, beside, self.half)


def encoding_now(ahead: Ahead) -> EncodeNow:
    """What encodes a clip when it is asked for, to what would be read had it been kept."""

    @torch.no_grad()
    def encode(clip: Clip, stored: OpenClip) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        tokens, times = ahead.encode(clip, stored)
        values = tokens.half() if ahead.half else tokens
        return values.float().cpu().numpy(), times.double().cpu().numpy()

    return encode


def encode_clips(ahead: Ahead, modality: Modality, source: ClipSource) -> EncodedClips:
    """Every clip's tokens under a frozen model; what is missing is computed first.

    Raises:
        InputError: clips that cannot be encoded; the others are.
    """
    encoded = ahead.place(modality, source)
    todo = encoded.missing()
    found = dict(
        tracked(encode_missing(ahead, encoded, source, todo), len(todo), f"Encoding {modality.name}")
    )
    tell(modality.name, ahead.notes)
    if failed := {name: reason for name, reason in found.items() if reason}:
        raise InputError(not_encoded(modality.name, failed))
    return encoded


def encode_missing(
    ahead: Ahead, encoded: EncodedClips, source: ClipSource, names: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    """Encode those of the clips that are missing; yield each, as it is there, with what is wrong with it.

    Processes that are given the same clips share the work: each takes those that no other is at.

    Raises:
        Unwritable: the disk does not take a clip's tokens.
    """
    clips = {clip.id: clip for clip in source.clips}
    left, elsewhere, waiting = deque(names), list[str](), False
    while left:
        name = left.popleft()
        try:
            yield name, encode_clip(ahead, encoded, source, clips[name])
        except Busy:
            elsewhere.append(name)
        for name in [name for name in elsewhere if encoded.path(name).exists()]:
            elsewhere.remove(name)
            yield name, None
        if not left and elsewhere:
            if not waiting:
                last = counted(len(elsewhere), "clip")
                print(f"Waiting for {last} that another process encodes.", file=sys.stderr)
            waiting = True
            time.sleep(WAIT_SECONDS)
            left.extend(elsewhere)
            elsewhere.clear()


@torch.no_grad()
def encode_clip(ahead: Ahead, encoded: EncodedClips, source: ClipSource, clip: Clip) -> str | None:
    """Encode a clip and keep it, if that is not done yet; else what is wrong with it.

    Raises:
        Busy: another process is at it, or at one of the few that share its lock.
        Unwritable: the disk does not take its tokens.
    """
    path = encoded.path(clip.id)
    with locked(source.store.root / "claims" / path.stem[:2], busy=f"{clip.id} is being encoded"):
        if path.exists():
            return None
        try:
            with source.store.open(source.keys[clip.id]) as stored:
                tokens, times = ahead.encode(clip, stored)
            encoded.write(clip.id, tokens.float().cpu().numpy(), times.double().cpu().numpy())
        except Unwritable:
            raise
        except (InputError, torch.OutOfMemoryError) as error:
            return str(error)
    return None


def tell(modality: str, notes: Mapping[str, Collection[str]]) -> None:
    """Print what is to be known of the clips that were encoded (`Ahead.notes`)."""
    for text, names in notes.items():
        if names:
            note(f"{modality}: {counted(len(names), 'clip')} {text}")


def not_encoded(modality: str, failed: Mapping[str, str]) -> str:
    """What a user is told of clips that cannot be encoded."""
    told = [reason if name in reason else f"{name}: {reason}" for name, reason in failed.items()]
    more = f" (and {len(told) - NAMED} more)" if len(told) > NAMED else ""
    return (
        f"{modality}: {counted(len(failed), 'clip')} cannot be encoded, the others are and are kept: "
        f"{'; '.join(told[:NAMED])}{more}"
    )


@runtime_checkable  # for the checks of types in tests
class FrameEncoder(Protocol):
    """A backbone that gives features of single frames."""

    features: int
    """Length of a frame's vector."""

    def frame_features(self, frames: Tensor) -> Tensor:
        """Of each frame, (N, 3, H, W) uint8 → (N, features)."""


def encoded_frames(
    encoder: FrameEncoder,
    made_by: Mapping[str, Any],
    visual: Visual,
    device: torch.device,
    *,
    half: bool = False,
) -> Ahead:
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
                parts.append(encoder.frame_features(visual.squares(frames, clip).to(device)).cpu())
        return torch.cat(parts), times

    return Ahead(encode, made_by, half)


def options_of(config: Part) -> dict[str, Any]:
    """An encoder's options that may decide its tokens: all that are not known to stand on top of them, so
    that a new one is never forgotten."""
    return {name: value for name, value in config.model_dump(mode="json").items() if name not in ON_TOP}


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
