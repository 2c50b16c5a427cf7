"""One decoded clip in one safetensors file: written whole, read without running anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mmvideo.data.files import write_whole
from mmvideo.data.subtitles import Word
from mmvideo.words import InputError, Modality

PCM_PEAK = 32767


def _no_frames() -> NDArray[np.uint8]:
    return np.zeros((0, 0, 0, 3), np.uint8)


def _no_times() -> NDArray[np.float64]:
    return np.zeros(0, np.float64)


def _no_samples() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class StoredClip:
    """A clip as decoded. An absent modality has length zero. Times are seconds from the clip's start."""

    frames: NDArray[np.uint8] = field(default_factory=_no_frames)  # (T, H, W, 3) RGB
    frame_times: NDArray[np.float64] = field(default_factory=_no_times)  # (T,)
    samples: NDArray[np.float32] = field(default_factory=_no_samples)  # (S,) mono
    words: tuple[Word, ...] = ()

    @property
    def present(self) -> tuple[Modality, ...]:
        """The modalities that have content. Silence is content."""
        pairs: tuple[tuple[Modality, int], ...] = (
            ("visual", len(self.frames)),
            ("audio", len(self.samples)),
            ("text", len(self.words)),
        )
        return tuple(name for name, length in pairs if length)


def write_clip(path: Path, clip: StoredClip, decoder: str | None) -> None:
    """Store the clip. Sound becomes 16-bit PCM of full scale 1, or of the clip's peak if that is higher."""
    scale = max(1.0, float(np.abs(clip.samples).max(initial=0.0)))
    tensors: dict[str, NDArray[np.generic]] = {}
    if len(clip.frames):
        tensors["frames"] = np.ascontiguousarray(clip.frames)
        tensors["frame_times"] = clip.frame_times
    if len(clip.samples):
        tensors["samples"] = np.round(clip.samples * (PCM_PEAK / scale)).astype(np.int16)
    record = {
        "words": [[word.text, word.start, word.end] for word in clip.words],
        "scale": scale,
        "decoder": decoder,
        "present": clip.present,
    }
    write_whole(path, save(tensors, {"clip": json.dumps(record)}))


def read_clip(path: Path) -> StoredClip:
    """The clip stored at `path`.

    Raises:
        InputError: the file is absent or damaged.
    """
    try:
        with safe_open(path, framework="np") as file:
            record = json.loads(file.metadata()["clip"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}). Delete it and build the store again.") from error
    words = tuple(Word(*word) for word in record["words"])
    if "samples" in tensors:
        tensors["samples"] = tensors["samples"].astype(np.float32) * np.float32(record["scale"] / PCM_PEAK)
    return StoredClip(words=words, **tensors)


def read_header(path: Path) -> dict[str, object]:
    """What is known of a stored clip without loading it: `present` and `decoder`."""
    with safe_open(path, framework="np") as file:
        record = json.loads(file.metadata()["clip"])
    return {"present": record["present"], "decoder": record["decoder"]}
