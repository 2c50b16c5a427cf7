"""Decoded frames and their times, by PyAV."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import chain, pairwise
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
SEEKS = (SEEK_MARGIN, 10.0)
"""Seconds before a span's start to which a seek goes, and, where that leads nowhere, the next."""
NEVER = -(2**63)
REORDER_DEPTH = 8
"""Frames among which times are put in order."""


def decoded(path: str | Path, kind: Literal["video", "audio"], start: float) -> Iterator[tuple[float, Any]]:
    """Decoded frames with their times, from no later than `start` on; none if there is no such stream.

    Times are seconds from the file's time zero (see `clock`). What is decoded for the sake of others only,
    before an edit list's start for example, does not appear.
    """
    clock = clock_of(path)
    if not clock.has[kind]:
        return
    for back in (*(back for back in SEEKS if clock.timed and start > back), None):
        with opened(path) as container:
            stream = video_stream(container) if kind == "video" else audio_stream(container)
            assert stream is not None
            stream.thread_count = 1  # the store decodes many files at once
            if back is None:
                frames = _timed(_laid_end_to_end(container, stream, clock), stream, clock.zero)
            elif (sought := _sought(container, stream, clock, start, back)) is not None:
                frames = sought
            else:
                continue  # a broken index, or none
            yield from frames
            return


def _sought(
    container: InputContainer, stream: Stream, clock: Clock, start: float, back: float
) -> Iterator[tuple[float, Any]] | None:
    """The frames from some key frame well before `start` on; None if a seek leads to none."""
    try:
        container.seek(int((start - back + clock.zero) * av.time_base), backward=True)
        frames = _timed(_from_key_frame(container, stream), stream, clock.zero)
        first = next(frames, None)
    except av.FFmpegError:
        return None
    return chain([first], frames) if first is not None and first[0] <= start - SEEK_MARGIN else None


def _from_key_frame(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Some formats' seeks end anywhere, and some decoders make something of whatever they find there."""
    begun = False
    for packet in container.demux(stream):
        begun = begun or packet.is_keyframe
        if begun:
            yield from packet.decode()


def jumps_told(path: str | Path) -> tuple[str, ...]:
    """A warning, if parts of the file had to be laid end to end."""
    parts = clock_of(path).jumps + 1
    return (
        () if parts == 1 else (f"{Path(path).name}: its clock jumps, its {parts} parts are laid end to end",)
    )


def _laid_end_to_end(container: InputContainer, stream: Any, clock: Clock) -> Iterator[Any]:
    """The stream's frames; behind a jump of the clock, packets are given the times that follow on."""
    parts = iter(pairwise([*clock.shifts.get(stream.index, ((0, 0.0),)), (-1, 0.0)]))
    (_, shift), (following, _) = next(parts)
    number, begun = 0, False
    for packet in container.demux(stream):
        if packet.size:
            if number == following:  # nothing of one part takes part in another's pictures
                for frame in stream.codec_context.decode(None):
                    frame.time_base = stream.time_base
                    yield frame
                stream.codec_context.flush_buffers()
                (_, shift), (following, _) = next(parts)
            number += 1
        if shift and packet.size:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        try:
            for frame in packet.decode():
                begun = True
                yield frame
        except av.InvalidDataError:
            if begun:
                raise
            # what was cut out of something longer may begin with pieces
        if begun and packet.size and not clock.jumps:  # the last packet has none: nothing follows it
            yield from container.decode(stream)
            return


def _timed(frames: Iterator[Any], stream: Stream, zero: float) -> Iterator[tuple[float, Any]]:
    """Frames in presentation order with their times; a frame without a timestamp follows on the one before.

    AVI stores decoding times only: a frame comes when the packet is read that lets it out. Where frames come
    in the right order with their times swapped, each gets the smallest time among its next neighbours.
    """
    assert stream.time_base is not None
    num, den = stream.time_base.numerator, stream.time_base.denominator  # asking each frame costs time
    pictures = stream.type == "video"
    in_decoding_order = pictures and stream.container.format.name == "avi"
    before: VideoFrame | AudioFrame | None = None
    time, period = 0.0, float("inf")  # AVI may count in halves of its pictures
    stamps = _Stamps()
    waiting: deque[Any] = deque()
    times: list[float] = []
    for frame in frames:
        assert isinstance(frame, (VideoFrame, AudioFrame))
        stamp = frame.dts if in_decoding_order else stamps.of(frame) if pictures else frame.pts
        if stamp is not None:
            last, time = time, stamp * num / den - zero
            if in_decoding_order and before is not None and time > last:
                period = min(period, time - last)
        elif before is not None:
            time += period if period < float("inf") else _duration(before, stream)
        before = frame
        waiting.append(frame)
        heappush(times, time)
        if len(waiting) > REORDER_DEPTH:
            yield heappop(times), waiting.popleft()
    while waiting:
        yield heappop(times), waiting.popleft()


class _Stamps:
    """Chooses among a picture's two times as FFmpeg does: when it is shown, or, once those times of a stream
    went back more often, when it is decoded. Where packets of AVI were put into a file of another kind as
    they are, the former are places in it."""

    def __init__(self) -> None:
        self._shown = self._decoded = NEVER
        self._wrong = 0

    def of(self, frame: Any) -> int | None:
        """In ticks. None: unknown, it follows on the one before."""
        shown, decoded = frame.pts, frame.dts
        if decoded is not None:
            self._wrong -= decoded <= self._decoded
        if shown is not None:
            self._wrong += shown <= self._shown
        self._decoded = decoded if decoded is not None else shown if shown is not None else self._decoded
        self._shown = shown if shown is not None else decoded if decoded is not None else self._shown
        return decoded if shown is None or self._wrong > 0 else shown


def _duration(frame: VideoFrame | AudioFrame, stream: Any) -> float:
    if isinstance(frame, AudioFrame):
        return frame.samples / frame.sample_rate
    return seconds(frame.duration, frame.time_base) or 1 / float(stream.average_rate or 25)
