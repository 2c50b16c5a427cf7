"""Decoding clips in disposable worker processes. A worker may hang, leak or crash; only its clip is lost.

What runs in a worker is here and in what this module imports: nothing slow, and no torch.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from pebble import ProcessExpired, ProcessPool

from mmvideo.data.clipfile import StoredClip, write_clip
from mmvideo.data.decode import Backend, DecodeError, decode_audio, decode_video
from mmvideo.data.files import DiskFull
from mmvideo.data.subtitles import Subtitles, read_subtitles
from mmvideo.words import InputError, Modality

CLIPS_PER_WORKER = 500
"""After so many clips a worker is replaced: decoders leak."""
START_LIMIT = 60.0
"""Seconds a worker may take to start."""


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
        DiskFull: there is no room for it.
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


def decode_all(
    jobs: Sequence[Job], *, workers: int, time_limit: float
) -> Iterator[tuple[Job, Decoded | Lost]]:
    """Run the jobs in worker processes and yield each with its outcome, in the order they end.

    A worker is ended after `time_limit` seconds on one clip.

    Raises:
        DiskFull: a worker found no room for a clip.
    """
    waiting = list(jobs)
    while waiting:
        unheard = []
        for job, outcome in _in_pool(waiting, workers, time_limit):
            if outcome is None:
                unheard.append(job)
            else:
                yield job, outcome
        if len(unheard) == len(waiting):  # whichever of them it is, it cannot be told
            yield unheard.pop(0), Lost("the decoder crashed at once", killed=True)
        waiting = unheard


def _in_pool(
    jobs: Sequence[Job], workers: int, time_limit: float
) -> Iterator[tuple[Job, Decoded | Lost | None]]:
    """Each job's outcome in one pool of workers; None where the pool gave up before it was tried.

    pebble gives a pool up when a worker dies before it has said which task it took.
    """
    context = multiprocessing.get_context("spawn")  # a forked copy of a threaded process may hang
    pool = ProcessPool(max_workers=min(workers, len(jobs)), max_tasks=CLIPS_PER_WORKER, context=context)
    try:
        futures: dict[Future[Decoded], Job] = {
            pool.schedule(decode_clip, args=[job], timeout=time_limit): job for job in jobs
        }
        done: SimpleQueue[Future[Decoded]] = SimpleQueue()
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            future = _next(done, time_limit)
            broken = isinstance(future.exception(), BrokenProcessPool)
            yield futures[future], None if broken else _outcome(future, time_limit)
    finally:
        pool.stop()
        pool.join()


def _next(done: SimpleQueue[Future[Decoded]], time_limit: float) -> Future[Decoded]:
    """The next that is done. Workers that die while they start would be replaced for ever."""
    try:
        return done.get(timeout=time_limit + START_LIMIT)
    except Empty:
        raise RuntimeError(
            "The decoding processes do not start. If this is a script of yours, what it does must stand "
            "under `if __name__ == '__main__':`, since each process imports it again."
        ) from None


def _outcome(future: Future[Decoded], time_limit: float) -> Decoded | Lost:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ProcessExpired):
        return Lost(f"the decoder crashed (exit code {error.exitcode})", killed=True)
    if isinstance(error, TimeoutError):
        return Lost(f"decoding took longer than {time_limit:g} s", killed=True)
    if isinstance(error, DiskFull):
        raise error
    if isinstance(error, (DecodeError, InputError)):
        return Lost(str(error), killed=False)
    return Lost(f"{type(error).__name__}: {error}", killed=False, lasting=False)
