"""What a container says of its picture, apart from time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from mmvideo.store.decode.container import seconds
from mmvideo.store.decode.geometry import MOST_PIXELS

DECORD_CONTAINERS = frozenset({"mov", "mp4", "matroska"})
DECORD_CODECS = frozenset({"h264", "mpeg4"})
DECORD_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuv444p", "yuvj444p"})
"""Where decord and PyAV were measured to give the same frames; `auto` reads all else with PyAV. They differ
for HEVC at 10 bits, MPEG-2, and VP9 of odd size. In AVI, decord has no usable times where there are B-frames,
and is a frame late after a dropped one (together 24 of 125 clips of UCF101)."""


@dataclass(frozen=True)
class Picture:
    """What is said of the video stream; times in seconds on the container's clock."""

    start: float
    duration: float | None
    rate: float
    """Frames per second."""
    aspect: float
    """Width of a pixel over its height."""
    size: tuple[int, int]
    """Width and height in pixels, as stored."""
    suits_decord: bool
    """Its format, codec and pixels are such that decord may be right."""

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> Picture:
        context = stream.codec_context
        return cls(
            start=seconds(stream.start_time, stream.time_base),
            duration=_declared_duration(container, stream),
            rate=float(stream.average_rate or stream.guessed_rate or Fraction(25)),
            aspect=float(stream.sample_aspect_ratio or 1),
            size=(context.width, context.height),
            suits_decord=not DECORD_CONTAINERS.isdisjoint(container.format.name.split(","))
            and int(context.field_order) <= 1  # progressive, or nothing said
            and context.name in DECORD_CODECS
            and context.width * context.height <= MOST_PIXELS
            and context.pix_fmt in DECORD_PIXELS,
        )


def _declared_duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration:
        return seconds(stream.duration, stream.time_base)
    if re.fullmatch(r"\d+:\d+:\d+(\.\d+)?", tag := stream.metadata.get("DURATION", "")):  # Matroska
        hours, minutes, rest = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)
    alone = len(container.streams.get()) == 1
    return container.duration / av.time_base if alone and container.duration else None
