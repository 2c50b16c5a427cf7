"""Opening a media file, its streams and its clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

SEEK_MARGIN = 1.0
"""Seconds before a span's start at which decoding sets in, so that codecs with memory have settled."""
REORDER_DEPTH = 8
"""Frames among which times are put in order."""


class DecodeError(Exception):
    """A file that cannot be decoded, and why."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds. Width and height are as stored, before `rotation` (degrees clockwise) is applied."""

    duration: float | None
    has_video: bool
    has_audio: bool
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    audio_sample_rate: int | None = None
    rotation: int = 0


def probe(path: str | Path) -> MediaInfo:
    """What the file holds; the first frame is decoded, since only it tells the rotation.

    Cover art is not video.

    Raises:
        DecodeError: not a media file, or one whose first frame cannot be decoded.
    """
    with opened(path) as container:
        video, audio = video_stream(container), audio_stream(container)
        info: dict[str, Any] = {}
        if video is not None:
            first = next(iter(container.decode(video)), None)
            rate = video.average_rate or video.guessed_rate
            info |= {"width": video.width, "height": video.height}
            info["frame_rate"] = float(rate) if rate else None
            info["rotation"] = -first.rotation % 360 if first else 0
        if audio is not None:
            info["audio_sample_rate"] = audio.codec_context.sample_rate
        duration = None if container.duration is None else container.duration / av.time_base
        return MediaInfo(duration, has_video=video is not None, has_audio=audio is not None, **info)


@contextmanager
def opened(path: str | Path) -> Iterator[InputContainer]:
    """The file, open; FFmpeg's complaints become DecodeErrors."""
    if not Path(path).is_file():
        raise DecodeError(path, "no such file")
    try:
        # an absolute path cannot be mistaken for an option or a protocol
        with av.open(str(Path(path).absolute()), metadata_errors="replace") as container:
            yield container
    except av.FFmpegError as error:
        raise DecodeError(path, error.strerror or str(error)) from error


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream players would show: FFmpeg's choice, unless that is cover art."""
    best = container.streams.best("video")
    streams = sorted(container.streams.video, key=lambda stream: stream is not best)
    return next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)


def audio_stream(container: InputContainer) -> Any:
    return container.streams.best("audio")


def file_start(container: InputContainer) -> float:
    """Seconds at which the file's clock starts. Negative starts are encoder priming, before time zero."""
    return max(0.0, (container.start_time or 0) / av.time_base)


def seconds(ticks: int | None, time_base: Fraction | None) -> float:
    if ticks is None or time_base is None:
        return 0.0
    return ticks * time_base.numerator / time_base.denominator


def decoded(path: str | Path, kind: Literal["video", "audio"], start: float) -> Iterator[tuple[float, Any]]:
    """Decoded frames with their times, from no later than `start` on; none if there is no such stream."""
    for seek in (True, False) if start > SEEK_MARGIN else (False,):
        with opened(path) as container:
            stream = video_stream(container) if kind == "video" else audio_stream(container)
            if stream is None:
                return
            stream.thread_count = 1  # the store decodes many files at once
            zero = file_start(container)
            if seek:
                container.seek(int((start - SEEK_MARGIN + zero) * av.time_base), backward=True)
            frames = _timed(container, stream, zero)
            first = next(frames, None)
            if seek and (first is None or first[0] > start):
                continue  # a broken index sent us too far: decode from the beginning
            if first is not None:
                yield first
                yield from frames
            return


def _timed(container: InputContainer, stream: Stream, zero: float) -> Iterator[tuple[float, Any]]:
    """Frames in presentation order with their times; a frame without a timestamp follows on the one before.

    AVI stores decoding times only, so that frames around B-frames come in the right order with their times
    swapped. Each frame therefore gets the smallest time among its next neighbours.
    """
    before: VideoFrame | AudioFrame | None = None
    time = 0.0
    frames: deque[Any] = deque()
    times: list[float] = []
    for frame in container.decode(stream):
        assert isinstance(frame, (VideoFrame, AudioFrame))
        stamp = frame.time
        if stamp is not None:
            time = stamp - zero
        elif before is not None:
            time += _duration(before, stream)
        before = frame
        frames.append(frame)
        heappush(times, time)
        if len(frames) > REORDER_DEPTH:
            yield heappop(times), frames.popleft()
    while frames:
        yield heappop(times), frames.popleft()


def _duration(frame: VideoFrame | AudioFrame, stream: Stream) -> float:
    if isinstance(frame, AudioFrame):
        return frame.samples / frame.sample_rate
    return seconds(frame.duration, frame.time_base) or 1 / float(stream.average_rate or 25)
