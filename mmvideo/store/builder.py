"""Decoding clips into the store, each in a worker process that may hang, leak or crash with it.

What runs in a worker is here and in what this module imports: nothing slow, and no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmvideo.errors import InputError
from mmvideo.files import Unwritable
from mmvideo.store.clip_format import Header, StoredClip, write_clip
from mmvideo.store.decode import Backend, DecodeError, decode_audio, decode_video, decord_installed
from mmvideo.store.subtitles import Subtitles, read_subtitles
from mmvideo.workers import NoAnswer, run_all

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
    frame_size: int | None
    """None: no pictures are read."""
    sample_rate: int | None
    """None: no sound is read."""
    backend: Backend
    jpeg_quality: int | None
    """None: frames are kept as they are."""
    origin: Mapping[str, Any]
    """What the clip is made from and how; kept with it."""


@dataclass(frozen=True)
class Lost:
    """Why a clip could not be decoded.

    `killed`: its worker crashed or ran out of time. `lasting`: another try would end alike.
    """

    reason: str
    killed: bool
    lasting: bool = True


def decode_clip(job: Job) -> Header:
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
    warnings: list[str] = []
    video = heard = None
    if job.video and job.frame_size is not None:
        video = decode_video(
            job.video,
            rate=job.frame_rate,
            start=job.start,
            end=job.end,
            size=job.frame_size,
            backend=job.backend,
        )
        if video is not None:
            frames, times, decoder = video.frames, video.times, video.decoder
            warnings += video.warnings
    if sound and job.sample_rate is not None:
        seen = len(frames) / job.frame_rate
        heard = decode_audio(sound, sample_rate=job.sample_rate, start=job.start, end=job.end, beside=seen)
        if heard is not None:
            samples = heard[0]
            warnings += heard[1]
        elif job.audio:
            raise DecodeError(job.audio, "no sound within the clip's span")
        elif job.video and job.frame_size is not None and video is None:
            raise DecodeError(job.video, "neither picture nor sound within the clip's span")
    subtitles = read_subtitles(job.subtitles, job.start, job.end) if job.subtitles else Subtitles(())
    if len(frames) or len(samples):
        seconds = max(len(frames) / job.frame_rate, len(samples) / (job.sample_rate or 1))
        subtitles = subtitles.until(seconds)
    clip = StoredClip(frames, times, samples, subtitles.words)
    told = tuple(dict.fromkeys([*warnings, *subtitles.warnings]))  # picture and sound may say the same
    write_clip(job.target, clip, decoder, told, jpeg_quality=job.jpeg_quality, origin=job.origin)
    return Header(clip.present, decoder, told, job.origin, clip.blank)


def attempt(job: Job) -> Header | Lost | Unwritable:
    """What became of the clip; a disk that takes no files is held against no clip."""
    try:
        return decode_clip(job)
    except Unwritable as error:
        return error
    except (DecodeError, InputError) as error:
        return Lost(str(error), killed=False)


def decode_all(
    jobs: Sequence[Job], *, workers: int, time_limit: float
) -> Iterator[tuple[Job, Header | Lost]]:
    """Run the jobs in worker processes and yield each with its outcome, in the order they end.

    A worker is ended after `time_limit` seconds on one clip. What crashed or hung is tried once more, with
    the other decoder.

    Raises:
        Unwritable: the disk does not take a clip.
        RuntimeError: workers do not start.
    """
    again = []
    for job, outcome in run_all(
        attempt, jobs, workers=workers, time_limit=time_limit, jobs_per_worker=CLIPS_PER_WORKER
    ):
        if isinstance(outcome, Unwritable):
            raise outcome
        if not isinstance(outcome, NoAnswer):
            yield job, outcome
        elif outcome.killed and job.backend == "auto" and decord_installed():
            again.append(replace(job, backend="pyav"))
        else:  # what raised may go better next time
            yield job, Lost(f"decoding: {outcome.reason}", outcome.killed, lasting=outcome.killed)
    if again:
        yield from decode_all(again, workers=workers, time_limit=time_limit)
