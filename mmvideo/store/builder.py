"""Decoding one clip into the store, and what a worker process does (see mmvideo.store.workers).

What runs in a worker is here and in what this module imports: nothing slow, and no torch.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mmvideo.errors import InputError
from mmvideo.files import Unwritable
from mmvideo.store.clip_format import StoredClip, write_clip
from mmvideo.store.decode import Backend, DecodeError, decode_audio, decode_video
from mmvideo.store.subtitles import Subtitles, read_subtitles
from mmvideo.vocabulary import Modality


@dataclass(frozen=True)
class Job:
    """All a worker needs to decode one clip and store it at `target`."""

    key: str
    target: Path
    video: Path | None
    audio: Path | None
    subtitles: Path | None
    start: float
    end: float | None
    frame_rate: float
    frame_size: int
    sample_rate: int
    backend: Backend
    jpeg_quality: int | None
    """None: frames are kept as they are."""
    origin: Mapping[str, Any]
    """What the clip is made from and how; kept with it."""


@dataclass(frozen=True)
class Decoded:
    """What a worker found in a clip."""

    present: tuple[Modality, ...]
    decoder: str | None
    warnings: tuple[str, ...] = ()
    """What of its subtitles could not be read, or had to be guessed."""


@dataclass(frozen=True)
class Lost:
    """Why a clip could not be decoded.

    `killed`: its worker crashed or ran out of time. `lasting`: another try would end alike.
    """

    reason: str
    killed: bool
    lasting: bool = True


def decode_clip(job: Job) -> Decoded:
    """Decode one clip and write it to its place in the store.

    A video file without sound, or one with sound only, is a clip in which a modality is absent.

    Raises:
        DecodeError: a stream that is there cannot be decoded, or a file has neither picture nor sound.
        InputError: none of the subtitles can be read.
        Unwritable: there is no room for it, or it may not be written.
    """
    frames, times = np.zeros((0, 0, 0, 3), np.uint8), np.zeros(0)
    samples = np.zeros(0, np.float32)
    decoder = None
    sound = job.audio or job.video
    heard = None
    if sound:
        heard = decode_audio(sound, sample_rate=job.sample_rate, start=job.start, end=job.end)
        samples = heard[0] if heard else samples
    if job.audio and heard is None:
        raise DecodeError(job.audio, "no sound within the clip's span")
    if job.video:
        video = decode_video(
            job.video,
            rate=job.frame_rate,
            start=job.start,
            end=job.end,
            size=job.frame_size,
            backend=job.backend,
        )
        if video is None and heard is None:
            raise DecodeError(job.video, "neither picture nor sound within the clip's span")
        if video is not None:
            frames, times, decoder = video.frames, video.times, video.decoder
    subtitles = read_subtitles(job.subtitles, job.start, job.end) if job.subtitles else Subtitles(())
    if job.video or job.audio:
        subtitles = subtitles.until(max(len(frames) / job.frame_rate, len(samples) / job.sample_rate))
    clip = StoredClip(frames, times, samples, subtitles.words)
    write_clip(
        job.target, clip, decoder, subtitles.warnings, jpeg_quality=job.jpeg_quality, origin=job.origin
    )
    return Decoded(clip.present, decoder, subtitles.warnings)


def attempt(job: Job) -> Decoded | Lost | Unwritable:
    """What became of the clip; a disk that takes no files is held against no clip."""
    try:
        return decode_clip(job)
    except Unwritable as error:
        return error
    except (DecodeError, InputError) as error:
        return Lost(str(error), killed=False)
    except Exception as error:
        return Lost(f"{type(error).__name__}: {error}", killed=False, lasting=False)


def serve(handle: int) -> None:
    """A worker's life: say that it has started, then answer each job with its outcome, until nobody asks.

    Args:
        handle: file descriptor of its end of a `multiprocessing.Pipe`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is told, and ends the worker
    with Connection(handle) as connection, suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(attempt(connection.recv()))
