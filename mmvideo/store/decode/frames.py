"""Decoded frames and their times, by PyAV."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame

from mmvideo.store.decode.clock import Clock, clock_of
from mmvideo.store.decode.container import audio_stream, opened, seconds, video_stream

SEEK_MARGIN = 1.0
"""Seconds before a span's start at which decoding sets in, so that codecs with memory have settled."""
REORDER_DEPTH = 8
"""Frames among which times are put in order."""


def decoded(path: str | Path, kind: Literal["video", "audio"], start: float) -> Iterator[tuple[float, Any]]:
    """Decoded frames with their times, from no later than `start` on; none if there is no such stream.

    Times are seconds from the file's time zero (see `clock`). What is decoded for the sake of others only,
    before an edit list's start for example, does not appear.
    """
    clock = clock_of(path)
    for seek in (True, False) if start > SEEK_MARGIN and clock.timed else (False,):
        with opened(path) as container:
            stream = video_stream(container) if kind == "video" else audio_stream(container)
            if stream is None:
                return
            stream.thread_count = 1  # the store decodes many files at once
            if seek:
                container.seek(int((start - SEEK_MARGIN + clock.zero) * av.time_base), backward=True)
            frames = _timed(_laid_end_to_end(container, stream, clock), stream, clock.zero)
            first = next(frames, None)
            if seek and (first is None or first[0] > start):
                continue  # a broken index sent us too far: decode from the beginning
            if first is not None:
                yield first
                yield from frames
            return


def jumps_told(path: str | Path) -> tuple[str, ...]:
    """A warning, if parts of the file had to be laid end to end."""
    jumps = clock_of(path).jumps
    return (f"{Path(path).name}: its clock jumps at {jumps} places, its parts are laid end to end",) if jumps else ()


def _laid_end_to_end(container: InputContainer, stream: Any, clock: Clock) -> Iterator[Any]:
    """The stream's frames; behind a jump of the clock, packets are given the times that follow on."""
    if not clock.jumps:
        yield from container.decode(stream)
        return
    parts = iter(pairwise([*clock.shifts.get(stream.index, ()), (-1, 0.0)]))
    (_, shift), (following, _) = next(parts, ((0, 0.0), (-1, 0.0)))
    number = 0
    for packet in container.demux(stream):
        if packet.size:
            if number == following:
                (_, shift), (following, _) = next(parts)
            number += 1
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        yield from packet.decode()


def _timed(frames: Iterator[Any], stream: Stream, zero: float) -> Iterator[tuple[float, Any]]:
    """Frames in presentation order with their times; a frame without a timestamp follows on the one before.

    AVI stores decoding times only, so that frames around B-frames come in the right order with their times
    swapped. Each frame therefore gets the smallest time among its next neighbours.
    """
    before: VideoFrame | AudioFrame | None = None
    time = 0.0
    waiting: deque[Any] = deque()
    times: list[float] = []
    for frame in frames:
        assert isinstance(frame, (VideoFrame, AudioFrame))
        stamp = frame.time
        if stamp is not None:
            time = stamp - zero
        elif before is not None:
            time += _duration(before, stream)
        before = frame
        waiting.append(frame)
        heappush(times, time)
        if len(waiting) > REORDER_DEPTH:
            yield heappop(times), waiting.popleft()
    while waiting:
        yield heappop(times), waiting.popleft()


def _duration(frame: VideoFrame | AudioFrame, stream: Any) -> float:
    if isinstance(frame, AudioFrame):
        return frame.samples / frame.sample_rate
    return seconds(frame.duration, frame.time_base) or 1 / float(stream.average_rate or 25)
