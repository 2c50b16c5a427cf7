"""What a file's packets say of its time, before anything is decoded.

The rule: a clip is what a player shows from time zero on. Time zero is where the container says that it
starts, for all its streams; what is only decoded and not shown (packets before an edit list's start, encoder
priming) starts no clock. Where the clock jumps, as in transport streams that were joined, the parts are laid
end to end, sound and picture by the same amount; where they do not jump together, the file is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from mmvideo.store.decode.container import (
    DecodeError,
    audio_stream,
    check_is_file,
    opened,
    video_stream,
)
from mmvideo.store.decode.geometry import display_matrix
from mmvideo.store.decode.picture import Picture

STEP_BACK = 0.1
STEP_AHEAD = 10.0
"""Seconds by which decoding times go back, or ahead where a format's clock may do that, before it is a jump;
FFmpeg's own."""
OVERLAP = 0.2
"""Seconds of sound in which parts may lap over where they are laid end to end."""
CLOCK_MAY_JUMP = 0x200  # AVFMT_TS_DISCONT
LONGEST_PLAIN = 1.0
"""Seconds between frames, at most, in a stream of plain times."""
SMALLEST_CODED = 20
"""Bytes; MPEG-4 packets below may stand for a frame that is not there."""
IDR = 5
"""The kind of H.264's network unit from which decoding can start without a trace of what came before."""


@dataclass(frozen=True)
class Clock:
    """The times of a file's first picture and sound streams."""

    zero: float
    """Seconds on the container's clock at which the file starts."""
    shifts: dict[int, tuple[tuple[int, float], ...]]
    """Per stream: the packets, by number, from which on so many seconds are added. Empty: no jump."""
    timed: bool
    """Every packet has its time, and none jumps: a seek can be trusted. Never in AVI, which has none."""
    starts: NDArray[np.float64] | None
    """When each frame of the picture starts, (T,) seconds from `zero`, if its packets are as plain as can be:
    each is one frame with its own time, all are shown, as they are, each key frame starts afresh, and
    decord is known to read such files. Else None."""
    pictures: NDArray[np.float64] | None
    """When the packets of the picture say that they are shown, in order, (P,) seconds from `zero`. None: the
    clock jumps, or there is none."""
    end: float
    """Seconds from `zero`, of whichever stream ends last."""
    picture: Picture | None
    """None: the file has no video stream."""
    has: Mapping[str, bool]
    """Whether there is a stream of `video`, and of `audio`."""

    @property
    def jumps(self) -> int:
        return max((len(shifts) - 1 for shifts in self.shifts.values()), default=0)


def clock_of(path: str | Path) -> Clock:
    """The clock of a file, from one reading of its packets; remembered for the next span of the same file.

    Raises:
        DecodeError: not a media file, or its streams' clocks jump apart.
    """
    check_is_file(path)
    status = os.stat(path)
    return _clock(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _clock(path: str, _size: int, _changed: int) -> Clock:
    with opened(path) as container:
        pictures = video_stream(container)
        streams: list[Any] = [s for s in (pictures, audio_stream(container)) if s is not None]
        tracks = {stream.index: _Track(container, stream) for stream in streams}
        picture = Picture.of(container, pictures) if pictures is not None else None
        suited = look = picture is not None and picture.suits_decord
        # the times of AVI are places in it, and neither jump nor can be trusted: there is nothing to read
        counted = container.format.name == "avi"
        try:
            for packet in container.demux(streams) if streams and not counted else ():
                track = tracks.get(packet.stream_index)
                if track is not None:
                    track.add(packet)
                    if look and track.is_video:
                        look = track.look(packet)
        except av.FFmpegError:
            for track in tracks.values():
                track.plain = False  # whoever decodes it meets the fault, and says what it is
        start = (container.start_time or 0) / av.time_base
        lasts = (container.duration or 0) / av.time_base
        kinds = {stream.type for stream in streams}  # streams are gone once the file is closed
    used = [track for track in tracks.values() if track.parts]
    earliest = min((track.parts[0].start for track in used), default=start)
    zero = start if start >= 0 else _first_shown(path)
    if earliest < zero - LONGEST_PLAIN:  # of a stream of very few packets FFmpeg may take another's start
        zero = max(earliest, 0.0)
    for track in used:
        if track.untimed_first and "matroska" in track.formats:  # it gives all times, but none below zero
            raise DecodeError(path, f"its first {track.untimed_first} packets have no time; cut it anew")
    offsets = _end_to_end(path, used)
    video = next((track for track in used if track.is_video), None)
    return Clock(
        zero,
        {track.index: track.shifts(offsets) for track in used},
        timed=not counted and len(offsets) == 1 and all(track.timed for track in tracks.values()),
        starts=video.starts(zero) if video and suited and len(offsets) == 1 else None,
        pictures=video.shown(zero) if video and len(offsets) == 1 else None,
        end=max((track.parts[-1].end + offsets[-1] for track in used), default=zero + lasts) - zero,
        picture=picture,
        has={kind: kind in kinds for kind in ("video", "audio")},
    )


def _first_shown(path: str) -> float:
    """Where the picture or the sound sets in, in a file that starts below zero: what primes an encoder is
    there but is not heard."""
    firsts = []
    for choose in (video_stream, audio_stream):
        with opened(path) as container:
            stream = choose(container)
            frame = next(container.decode(stream), None) if stream is not None else None
            if frame is not None and frame.time is not None:
                firsts.append(frame.time)
    return min(firsts, default=0.0)


@dataclass
class _Part:
    """A stretch of a stream without a jump: the number of its first packet, and its first and last second."""

    first: int
    start: float
    end: float


@dataclass
class _Track:
    """Follows the packets of one stream."""

    container: InitVar[InputContainer]
    stream: InitVar[Any]
    parts: list[_Part] = field(default_factory=list)
    timed: bool = True
    plain: bool = True
    count: int = 0
    untimed_first: int = 0
    """Packets before the first that has a time."""
    _times: list[int] = field(default_factory=list)
    _shown: list[int] = field(default_factory=list)
    _before: float | None = None
    _key: int = 0

    def __post_init__(self, container: InputContainer, stream: Any) -> None:
        self.index = stream.index
        self.is_video = stream.type == "video"
        self._stated = (stream.frames, stream.start_time)
        self._base = float(stream.time_base)
        self._codec = stream.codec_context.name
        self._prefix = _length_size(stream)
        self.formats = container.format.name.split(",")
        self._ahead = STEP_AHEAD if container.format.flags & CLOCK_MAY_JUMP else float("inf")
        self._back = float("inf") if "mov" in self.formats else STEP_BACK  # its times are sums of durations

    def add(self, packet: Packet[Any]) -> None:
        if not packet.size:
            if packet.pts is not None:
                self.plain = False
            return
        number, self.count = self.count, self.count + 1
        shown = packet.pts is not None and not packet.is_discard
        self.timed &= packet.pts is not None
        if packet.is_corrupt or not shown:
            self.plain = False
        if packet.is_discard:
            return
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            self.untimed_first += not self.parts
            return
        self._place(number, time * self._base, packet)
        if self.is_video and shown:
            self._shown.append(time)
        if self.is_video and self.plain:
            self._inspect(packet, time)
            self._times.append(time)

    def shown(self, zero: float) -> NDArray[np.float64]:
        """When its packets are shown, in order, seconds from `zero`."""
        return np.sort(np.array(self._shown, np.float64)) * self._base - zero

    def look(self, packet: Packet[Any]) -> bool:
        """Decode for the first frame, which alone tells how it is to be turned; whether to look on."""
        for frame in packet.decode():
            self.plain &= display_matrix(frame) is None
            return False
        return True

    def _place(self, number: int, time: float, packet: Packet[Any]) -> None:
        """Into the last part, or a new one where the decoding time jumps."""
        step = 0.0
        if (ticks := packet.dts) is not None:
            order = ticks * self._base
            step = order - self._before if self._before is not None else 0.0
            self._before = order
        lasts = (packet.duration or 0) * self._base or (step if 0 < step <= LONGEST_PLAIN else 0.0)
        end = time + lasts
        if not self.parts or step < -self._back or step > self._ahead:
            self.parts.append(_Part(number, time, end))
            return
        part = self.parts[-1]
        part.start = min(part.start, time)
        part.end = max(part.end, end)

    def _inspect(self, packet: Packet[Any], time: int) -> None:
        """Whether the packet is one frame, from which decoding can start if it says so."""
        if packet.is_keyframe:
            self._key = time
            if self._codec == "h264" and not _starts_afresh(bytes(packet), self._prefix):
                self.plain = False
        begun = self._times or packet.is_keyframe
        absent = self._codec == "mpeg4" and packet.size < SMALLEST_CODED
        if not begun or absent or time < self._key:
            self.plain = False

    def shifts(self, offsets: Sequence[float]) -> tuple[tuple[int, float], ...]:
        """`Clock.shifts`."""
        return tuple((part.first, offset) for part, offset in zip(self.parts, offsets, strict=True))

    def starts(self, zero: float) -> NDArray[np.float64] | None:
        """`Clock.starts`."""
        frames, start = self._stated
        if not self.plain or not self._times or frames not in (0, self.count):
            return None
        ticks = np.sort(np.array(self._times, np.int64))
        times = (ticks * self._base - zero).astype(np.float64)
        steps = np.append(np.diff(times), self.parts[-1].end - zero - times[-1])
        whole = start == ticks[0] and 0 <= times[0] <= LONGEST_PLAIN
        return times if whole and np.all(np.diff(ticks) > 0) and steps.max() <= LONGEST_PLAIN else None


def _end_to_end(path: str, tracks: Sequence[_Track]) -> list[float]:
    """What is added to the times of each part, so that it starts where the one before has ended. Where sound
    laps over by little, as it does where parts were encoded apart, the picture goes on without a break."""
    counts = {len(track.parts) for track in tracks}
    if len(counts) > 1:
        reason = "its clock jumps, at other places for the picture than for the sound; encode it anew"
        raise DecodeError(path, reason)
    offsets = [0.0]
    for before, part in pairwise(zip(*(track.parts for track in tracks), strict=True)):
        starts = [one.start for one in part]
        if max(starts) - min(starts) > STEP_AHEAD:
            reason = "its clock jumps, and picture and sound do not go on together; encode it anew"
            raise DecodeError(path, reason)
        offset = max(one.end for one in before) - min(starts)
        for track, one, following in zip(tracks, before, part, strict=True):
            if track.is_video and offset - (one.end - following.start) <= OVERLAP:
                offset = one.end - following.start
        offsets.append(offset + offsets[-1])
    return offsets


def _length_size(stream: Any) -> int:
    """Bytes that tell each network unit's length in MP4 and Matroska; 0: start codes divide them."""
    extra = stream.codec_context.extradata or b""
    return (extra[4] & 3) + 1 if len(extra) > 4 and extra[0] == 1 else 0


def _starts_afresh(data: bytes, prefix: int) -> bool:
    """Whether the first picture in an H.264 packet is an instantaneous refresh, not a mere recovery point."""
    place = 0
    while prefix and place + prefix < len(data):
        kind = data[place + prefix] & 31
        if 1 <= kind <= IDR:
            return kind == IDR
        place += prefix + int.from_bytes(data[place : place + prefix])
    return False
