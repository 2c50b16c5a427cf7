"""Opening a media file, and its streams: which formats are read, and nothing but the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOENT
from fractions import Fraction
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from mmvideo.store.decode.geometry import MOST_PIXELS

FORMATS = (
    "mov", "mp4", "matroska", "webm", "avi", "asf", "flv", "mpegts", "mpeg", "mpegvideo", "h264", "hevc",
    "m4v", "ogg", "gif", "apng", "mxf", "nut", "ivf", "dv", "rm", "wtv", "mjpeg", "yuv4mpegpipe",
    "wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "ac3", "eac3", "dts", "amr", "ape", "wv", "tta",
)  # fmt: skip
"""FFmpeg's names of the formats that are read. Playlists, which name other files, are not among them, nor are
pictures, descriptions of network streams, and devices."""
DECODER = {"max_pixels": str(MOST_PIXELS)}
"""FFmpeg decodes pictures to find out what a file holds, so that none is safe from large ones but itself."""
ALLOWED = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file", **DECODER}


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
    """The file, open; FFmpeg's complaints become DecodeErrors. No other file is read, and no network."""
    check_is_file(path)
    try:
        with _open(path) as container:
            yield container
    except av.ArgumentError as error:  # a decoder's answer to a picture of a size that it may not have
        why = error.strerror
        reason = f"its pictures have more than {MOST_PIXELS:,} pixels, or cannot be decoded ({why})"
        raise DecodeError(path, reason) from error
    except av.FFmpegError as error:
        raise DecodeError(path, error.strerror or str(error)) from error


def _open(path: str | Path) -> InputContainer:
    try:
        # an absolute path cannot be mistaken for an option or a protocol
        return av.open(str(Path(path).absolute()), metadata_errors="replace", options=ALLOWED)
    except av.ArgumentError as error:
        reason = f"not a video or sound file of a format that is read ({', '.join(FORMATS)})"
        raise DecodeError(path, reason) from error


def check_is_file(path: str | Path) -> None:
    """Before anything opens it: to open a pipe waits for who writes into it, and a device may never end.

    Raises:
        DecodeError: it is not there, or not a file.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        reason = "no such file" if error.errno == ENOENT else str(error.strerror)
        raise DecodeError(path, reason) from error
    if not S_ISREG(mode):
        kind = "a folder" if S_ISDIR(mode) else "a pipe, a socket or a device"
        raise DecodeError(path, f"{kind}, not a file")


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream players would show: FFmpeg's choice, unless that is cover art."""
    best = container.streams.best("video")
    streams = sorted(container.streams.video, key=lambda stream: stream is not best)
    chosen = next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)
    if chosen is not None:
        chosen.codec_context.options = DECODER
    return chosen


def audio_stream(container: InputContainer) -> Any:
    return container.streams.best("audio")


def seconds(ticks: int | None, time_base: Fraction | None) -> float:
    if ticks is None or time_base is None:
        return 0.0
    return ticks * time_base.numerator / time_base.denominator
