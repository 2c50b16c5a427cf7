"""Decoding clips in disposable worker processes. A worker may hang, leak or crash; only its clip is lost.

What runs in a worker is here and in what this module imports: nothing slow, and no torch.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pebble import ProcessExpired, ProcessPool

from mmvideo.data.clipfile import StoredClip, write_clip
from mmvideo.data.decode import Backend, DecodeError, decode_audio, decode_video
from mmvideo.data.subtitles import read_words
from mmvideo.words import InputError, Modality

CLIPS_PER_WORKER = 500
"""After so many clips a worker is replaced: decoders leak."""


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


@dataclass(frozen=True)
class Decoded:
    """What a worker found in a clip."""

    present: tuple[Modality, ...]
    decoder: str | None


@dataclass(frozen=True)
class Lost:
    """Why a clip could not be decoded. `killed`: its worker crashed or ran out of time."""

    reason: str
    killed: bool


def decode_clip(job: Job) -> Decoded:
    """Decode one clip and write it to its place in the store.

    A video file without sound, or one with sound only, is a clip in which a modality is absent.

    Raises:
        DecodeError: a stream that is there cannot be decoded, or a file has neither picture nor sound.
        InputError: the subtitles are malformed.
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
    words = read_words(job.subtitles, job.start, job.end) if job.subtitles else []
    clip = StoredClip(frames, times, samples, tuple(words))
    write_clip(job.target, clip, decoder)
    return Decoded(clip.present, decoder)


def decode_all(
    jobs: Sequence[Job], *, workers: int, time_limit: float
) -> Iterator[tuple[Job, Decoded | Lost]]:
    """Run the jobs in worker processes and yield each with its outcome, in the order they end.

    A worker is ended after `time_limit` seconds on one clip.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")  # a forked copy of a threaded process may hang
    pool = ProcessPool(max_workers=min(workers, len(jobs)), max_tasks=CLIPS_PER_WORKER, context=context)
    try:
        futures: dict[Future[Decoded], Job] = {
            pool.schedule(decode_clip, args=[job], timeout=time_limit): job for job in jobs
        }
        for future in as_completed(futures):
            yield futures[future], _outcome(future, time_limit)
    finally:
        pool.stop()
        pool.join()


def _outcome(future: Future[Decoded], time_limit: float) -> Decoded | Lost:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProcessExpired):
        return Lost(f"the decoder crashed (exit code {error.exitcode})", killed=True)
    if isinstance(error, TimeoutError):
        return Lost(f"decoding took longer than {time_limit:g} s", killed=True)
    if isinstance(error, (DecodeError, InputError)):
        return Lost(str(error), killed=False)
    return Lost(f"{type(error).__name__}: {error}", killed=False)
