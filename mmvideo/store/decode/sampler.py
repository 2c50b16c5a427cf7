"""Which of a video's frames are kept: the one shown at each instant of a span."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from mmvideo.store.decode.container import DecodeError
from mmvideo.store.decode.filled import Filled
from mmvideo.store.decode.geometry import Orientation, upright
from mmvideo.store.media import TOLERANCE, Frame, instant

LONGEST_HELD = 1.0
"""Seconds for which a frame is shown without being called frozen."""


@dataclass(frozen=True)
class Request:
    path: Path
    rate: float
    start: float
    end: float
    size: int


class Sampler:
    """Picks from frames that come in order of time the one shown at each instant."""

    def __init__(self, request: Request, aspect: float) -> None:
        self.request = request
        self.frames: list[Frame] = []
        self.times: list[float] = []
        self.frozen = Filled(request.path, "frozen pictures")
        self.due = self._instant()
        """The next instant without a frame."""
        self._aspect = aspect
        self._reached = request.start
        self._seen = 0
        self._reformatter = VideoReformatter()

    def _instant(self) -> float:
        return float(instant(len(self.times), self.request.rate, self.request.start))

    @property
    def finished(self) -> bool:
        return self.due >= self.request.end - TOLERANCE

    def show(self, frame: VideoFrame, until: float) -> None:
        """Take the frame for all instants before `until` that have none yet."""
        until = min(until, self.request.end)
        self._seen += 1
        self.frozen.add(max(0.0, until - self._reached - LONGEST_HELD), self._seen)
        self._reached = max(self._reached, until)
        picture = None
        while self.due < until - TOLERANCE:
            if picture is None:
                picture = self.picture(frame)
            self.take(picture, self.due)

    def take(self, picture: Frame, time: float) -> None:
        if self.frames and picture.shape != self.frames[0].shape:
            raise DecodeError(self.request.path, "the picture's size changes within the span")
        self.frames.append(picture)
        self.times.append(time)
        self.due = self._instant()

    def picture(self, frame: VideoFrame) -> Frame:
        """The frame as RGB, as it is shown, at the size asked for."""
        # bicubic is decord's choice too; it matters where chroma is subsampled
        rgb = self._reformatter.reformat(frame, format="rgb24", interpolation="BICUBIC", threads=1)
        pixels: Frame = rgb.to_ndarray().astype(np.uint8, copy=False)
        try:
            return upright(pixels, Orientation.of(frame), self._aspect, self.request.size)
        except ValueError as error:
            raise DecodeError(self.request.path, str(error)) from error
