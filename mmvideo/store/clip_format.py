"""One decoded clip in one file of the store."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmvideo.store.blank import is_one_colour, is_silent
from mmvideo.store.object_store import Arrays, opened, read_object, read_record, unreadable, write_object
from mmvideo.store.subtitles import Word

PCM_PEAK = 32767
FRAMES = ("frames", "jpeg", "jpeg_ends")
"""The arrays that hold pictures."""
BLANK = {"visual": "of one colour throughout", "audio": "digital silence"}
"""What a clip may have that holds nothing, and how that is called."""


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

    @cached_property
    def blank(self) -> tuple[str, ...]:
        """Which of visual and audio are present and hold nothing (see `mmvideo.store.blank`)."""
        holds_nothing = {
            "visual": len(self.frames) and is_one_colour(self.frames),
            "audio": len(self.samples) and is_silent(self.samples),
        }
        return tuple(name for name, is_so in holds_nothing.items() if is_so)

    @property
    def present(self) -> tuple[str, ...]:
        """The modalities that have content. Silence is content."""
        pairs: tuple[tuple[str, int], ...] = (
            ("visual", len(self.frames)),
            ("audio", len(self.samples)),
            ("text", len(self.words)),
        )
        return tuple(name for name, length in pairs if length)


def write_clip(
    path: Path,
    clip: StoredClip,
    decoder: str | None,
    warnings: Sequence[str] = (),
    *,
    jpeg_quality: int | None = None,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Store the clip. Sound becomes 16-bit PCM of full scale 1, or of the clip's peak if that is higher.

    The disk may have it later: a build waits for all of them at once (see `mmvideo.store.unsynced`).

    Args:
        jpeg_quality: keep the frames as JPEG pictures of this quality. None: as they are.
        origin: what the clip was made from and how, for those who look after the store.
    """
    scale = max(1.0, float(np.abs(clip.samples).max(initial=0.0)))
    arrays: Arrays = {}
    if len(clip.frames):
        arrays["frame_times"] = clip.frame_times
        if jpeg_quality is None:
            arrays["frames"] = np.ascontiguousarray(clip.frames)
        else:
            arrays["jpeg"], arrays["jpeg_ends"] = _compressed(clip.frames, jpeg_quality)
    if len(clip.samples):
        arrays["samples"] = np.round(clip.samples * (PCM_PEAK / scale)).astype(np.int16)
    record = {
        "words": [[word.text, word.start, word.end] for word in clip.words],
        "scale": scale,
        "decoder": decoder,
        "present": clip.present,
        "blank": clip.blank,
        "warnings": list(warnings),
        **({"origin": dict(origin)} if origin else {}),
    }
    write_object(path, arrays, record, durable=False)


def read_clip(path: Path) -> StoredClip:
    """The clip stored at `path`.

    Raises:
        InputError: the file is absent or damaged.
    """
    with open_clip(path) as file:
        return replace(file.clip, frames=file.frames(np.arange(len(file.clip.frame_times))))


@contextmanager
def open_clip(path: Path, known: StoredClip | None = None) -> Iterator[OpenClip]:
    """The clip stored at `path`, read but for its frames, which are most of it; those can be asked for.

    Args:
        known: the clip, if it was read before.

    Raises:
        InputError: the file is absent or damaged.
    """
    with opened(path) as file:
        if known is not None:
            yield OpenClip(known, path, file)
            return
        record, arrays = read_object(path, file, leave_out=FRAMES)
        try:
            words = tuple(Word(*word) for word in record["words"])
            if "samples" in arrays:
                scale = np.float32(record["scale"] / PCM_PEAK)
                arrays["samples"] = arrays["samples"].astype(np.float32) * scale
            clip = StoredClip(words=words, **arrays)
        except (KeyError, TypeError) as error:
            raise unreadable(path, f"it is no clip: {error}") from error
        yield OpenClip(clip, path, file)


@dataclass(frozen=True, eq=False)
class OpenClip:
    """A clip in an open file of the store."""

    clip: StoredClip
    """Without frames, but with their times."""
    _path: Path
    _file: Any

    def frames(self, indices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Some of its frames, (len(indices), H, W, 3) RGB. Others are neither read nor decompressed.

        Args:
            indices: ascending, each below the number of frames.
        """
        if not len(indices):
            return _no_frames()
        try:
            return self._frames(indices, int(indices[0]), int(indices[-1]))
        except (IndexError, ValueError) as error:
            raise unreadable(self._path, f"its frames are not where they should be: {error}") from error

    def _frames(self, indices: NDArray[np.intp], first: int, last: int) -> NDArray[np.uint8]:
        if "jpeg" not in self._file.keys():  # noqa: SIM118
            pictures: NDArray[np.uint8] = self._file.get_slice("frames")[first : last + 1]
            return pictures if len(indices) == len(pictures) else pictures[indices - first]
        bounds = np.append(0, self._file.get_tensor("jpeg_ends"))
        data = self._file.get_slice("jpeg")[int(bounds[first]) : int(bounds[last + 1])]
        spans = zip(bounds[indices] - bounds[first], bounds[indices + 1] - bounds[first], strict=True)
        return np.stack([_expanded(data[begin:end]) for begin, end in spans])


def read_lengths(path: Path) -> dict[str, int]:
    """How many `frames` and `samples` a stored clip has, without loading them."""
    with opened(path) as file:
        names = {"frames": "frame_times", "samples": "samples"}
        held = set(file.keys())
        return {
            kind: file.get_slice(name).get_shape()[0] if name in held else 0 for kind, name in names.items()
        }


@dataclass(frozen=True)
class Header:
    """What is known of a stored clip without loading it."""

    present: tuple[str, ...]
    decoder: str | None = None
    warnings: tuple[str, ...] = ()
    origin: Mapping[str, Any] | None = None
    """What it was made from and how; None: an earlier version did not record it."""
    blank: tuple[str, ...] = ()
    """Which of what is present holds nothing: digital silence, pictures of one colour."""


def read_header(path: Path) -> Header:
    """
    Raises:
        InputError: the file is absent or damaged.
    """
    record = read_record(path)
    try:
        origin = record.get("origin")
        if origin is not None and not (
            isinstance(origin["source"], str) and isinstance(origin["settings"], dict)
        ):
            raise TypeError("its origin is not one")
        decoder, warnings = record.get("decoder"), tuple(record.get("warnings", ()))
        return Header(tuple(record["present"]), decoder, warnings, origin, tuple(record.get("blank", ())))
    except (KeyError, TypeError) as error:
        raise unreadable(path, f"its record is damaged: {error}") from error


def _compressed(frames: NDArray[np.uint8], quality: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """JPEG pictures one after the other, and where each ends."""
    buffer, ends = io.BytesIO(), []
    for frame in frames:
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
        ends.append(buffer.tell())
    return np.frombuffer(buffer.getbuffer(), np.uint8), np.array(ends, np.int64)


def _expanded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(picture.data)))
