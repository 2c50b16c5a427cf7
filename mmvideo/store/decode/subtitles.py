"""The text subtitle track inside a video file (mov_text, SubRip, ASS, WebVTT). Always PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from av.container import InputContainer

from mmvideo.store.decode.clock import clock_of
from mmvideo.store.decode.container import DecodeError, opened, seconds
from mmvideo.store.subtitle_markup import plain_ass


def decode_subtitles(path: str | Path) -> list[tuple[float, float, str]]:
    """Start and end in seconds on the file's clock, and plain text, of each cue of the subtitle track.

    Of several tracks it is the one FFmpeg would show, if it is text, else the first that is. A cue without a
    duration lasts until the next.

    Raises:
        DecodeError: the file is damaged, has no subtitle track, or only tracks of pictures (DVD, Blu-ray).
    """
    cues: list[tuple[float, float | None, str]] = []
    with opened(path) as container:
        stream = _text_stream(container, path)
        # the clock of a file with subtitles alone starts at zero, not at the first cue
        zero = clock_of(path).zero if container.streams.video or container.streams.audio else 0.0
        for packet in container.demux(stream):
            text = _text(packet) if packet.pts is not None and packet.size else ""
            if text:
                start = seconds(packet.pts, packet.time_base) - zero
                length = seconds(packet.duration, packet.time_base)
                cues.append((start, start + length if length else None, text))
    later = [start for start, _, _ in cues[1:]] + [start for start, _, _ in cues[-1:]]
    return [
        (start, following if end is None else end, text)
        for (start, end, text), following in zip(cues, later, strict=True)
    ]


def has_subtitles(path: str | Path) -> bool:
    """Whether the file has a subtitle track of text.

    Raises:
        DecodeError: not a media file.
    """
    with opened(path) as container:
        return any(stream.codec_context.codec.text_sub for stream in container.streams.subtitles)


def _text(packet: Any) -> str:
    """A packet's lines without the markup of ASS, into which FFmpeg turns every format."""
    lines = [rect.dialogue.decode(errors="replace") for rect in packet.decode()]
    return "\n".join(map(plain_ass, lines)).strip()


def _text_stream(container: InputContainer, path: str | Path) -> Any:
    best = container.streams.best("subtitle")
    streams = sorted(container.streams.subtitles, key=lambda stream: stream is not best)
    if not streams:
        raise DecodeError(path, "no subtitle track")
    for stream in streams:
        if stream.codec_context.codec.text_sub:
            return stream
    names = ", ".join(stream.codec_context.name for stream in streams)
    raise DecodeError(path, f"its subtitle track holds pictures, not text ({names})")
