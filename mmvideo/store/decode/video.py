"""Frames sampled at a fixed rate, by decord where it is known to agree with PyAV, else by PyAV."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from mmvideo.store.decode.clock import clock_of
from mmvideo.store.decode.container import DecodeError, seconds
from mmvideo.store.decode.damage import Damage
from mmvideo.store.decode.frames import decoded, jumps_told
from mmvideo.store.decode.geometry import check_size, pixel_aspect
from mmvideo.store.decode.sampler import LONGEST_HELD, Request, Sampler
from mmvideo.store.media import TOLERANCE, Instants, instants, resize_short_side, shown_at

Backend = Literal["auto", "decord", "pyav"]
Decoder = Literal["decord", "pyav"]

LEAST_COVERED = 0.5
"""Share of the declared duration that must decode. Less is a truncated file, not a short one."""
UNSHOWN = 0.5
"""Seconds before a span from which on errors count as its own: decoders are some frames ahead."""
DECORD_BATCH, DECORD_PIXELS = 32, 2**25
"""Full-size frames held at once, and how many pixels they may have together."""


@dataclass(frozen=True)
class DecodedVideo:
    """Frames sampled at a fixed rate, all of one size."""

    frames: NDArray[np.uint8]  # (T, H, W, 3) RGB
    times: Instants  # (T,) seconds from the span's start
    decoder: Decoder
    warnings: tuple[str, ...] = ()
    """What is not as in the file, or not as one would expect of a film."""


@dataclass(frozen=True)
class _Facts:
    """What the container says of its video stream."""

    end: float
    """When it should end, in seconds on the file's clock."""
    period: float
    aspect: float
    """Width of a pixel over its height."""
    pixels: int
    """Of one picture."""
    starts: Instants | None
    """When each frame starts, (T,), if decord gives the same frames."""


def decode_frames(
    path: str | Path,
    *,
    rate: float,
    start: float = 0.0,
    end: float | None = None,
    size: int,
    backend: Backend = "auto",
) -> tuple[NDArray[np.uint8], Instants]:
    """Frames and times of `decode_video`, for a file that must have a picture.

    Returns:
        frames (T, H, W, 3) uint8 RGB; times (T,) float64, seconds from `start`.

    Raises:
        DecodeError: as `decode_video`, and if the file has no video stream.
    """
    video = decode_video(path, rate=rate, start=start, end=end, size=size, backend=backend)
    if video is None:
        raise DecodeError(path, "no video stream")
    return video.frames, video.times


def decode_video(
    path: str | Path,
    *,
    rate: float,
    start: float = 0.0,
    end: float | None = None,
    size: int,
    backend: Backend = "auto",
) -> DecodedVideo | None:
    """Sample a span's frames at a fixed rate by presentation time; None if the file has no video stream.

    The instants are t_k = start + (k + 1/2) / rate before `end` and before the video's own end; each takes
    the last frame that starts at or before it, so a variable frame rate needs no special care. A span shorter
    than half a period has one frame, the one at `start`. Frames are turned and mirrored as the file's
    metadata say, their pixels made square, and the short side resized to `size` pixels.

    Args:
        path: a file in one of the formats of `container.FORMATS`.
        rate: frames per second.
        start, end: seconds; the file's end if `end` is None.
        size: short side in pixels.
        backend: `auto` takes decord where it is installed and known to agree, else PyAV, which also gets what
            decord fails on. `decord` refuses what it is not known to be right for.

    Raises:
        DecodeError: the file is damaged, the span lies behind its end, less than half of the declared
            duration can be decoded, or almost all of it would be frozen pictures.
    """
    facts = _facts(path, backend)
    if facts is None:
        return None
    request = Request(Path(path), rate, start, float("inf") if end is None else end, size)
    if facts.starts is not None:
        try:
            return _with_decord(request, facts, facts.starts)
        except DecodeError:
            if backend == "decord":
                raise
    elif backend == "decord":
        raise DecodeError(path, "decord is not known to give the right frames of this file; take `auto`")
    return _with_pyav(request, facts)


def decord_installed() -> bool:
    """Whether decord can be imported (it has wheels for Linux on x86-64 only)."""
    return importlib.util.find_spec("decord") is not None


def _facts(path: str | Path, backend: Backend) -> _Facts | None:
    clock = clock_of(path)
    picture = clock.picture
    if picture is None:
        return None
    try:
        aspect = pixel_aspect(picture.aspect)
        check_size(*picture.size, aspect)
    except ValueError as error:
        raise DecodeError(path, str(error)) from error
    start = picture.start - clock.zero
    end = clock.end
    if picture.duration and not clock.jumps:
        end = picture.duration + min(start, -clock.zero)  # some count from the clock's zero
    return _Facts(
        end=end,
        period=min(1 / picture.rate, LONGEST_HELD),
        aspect=aspect,
        pixels=max(1, picture.size[0] * picture.size[1]),
        starts=clock.starts if backend != "pyav" and aspect == 1 and decord_installed() else None,
    )


def _with_pyav(request: Request, facts: _Facts) -> DecodedVideo:
    sampler = Sampler(request, facts.aspect)
    at_start: VideoFrame | None = None
    current: VideoFrame | None = None
    time, interlaced, seen = 0.0, False, []
    damage = Damage(request.path)
    for time, frame in damage.beside(decoded(request.path, "video", request.start)):
        seen.append(time)
        if current is not None:
            sampler.show(current, until=time)
        else:  # before the first frame, the first frame is shown
            sampler.show(frame, until=time)
        if at_start is None or time <= request.start + TOLERANCE:
            at_start = frame
        if time < request.start - UNSHOWN:
            damage.forget()
        current = frame
        interlaced |= frame.interlaced_frame
        if sampler.finished and time > request.start:
            break
    if current is None or at_start is None:
        raise DecodeError(request.path, "no frame could be decoded")
    covered = time + (seconds(current.duration, current.time_base) or facts.period)
    sampler.show(current, until=covered)
    _check_covered(request, covered, facts)
    if not sampler.frames:
        sampler.take(sampler.picture(at_start), request.start)
    odd = (*_lost_told(request.path, seen), *damage.warnings)
    warnings = (*sampler.frozen.warnings, *jumps_told(request.path), *odd)
    if interlaced:
        warnings = (f"{request.path.name}: interlaced, its half pictures are woven", *warnings)
    times = np.array(sampler.times) - request.start
    return DecodedVideo(np.stack(sampler.frames), times, "pyav", warnings)


def _lost_told(path: Path, seen: list[float]) -> tuple[str, ...]:
    """A warning, if packets lie between frames that were decoded and gave none themselves: damaged, or what
    they build on is lost. One alone may be half a picture, or one that is not shown."""
    packets = clock_of(path).pictures
    if packets is None:
        return ()
    after = np.searchsorted(packets, np.array(seen[:-1]) + TOLERANCE)
    before = np.searchsorted(packets, np.array(seen[1:]) - TOLERANCE)
    between = before - after
    lost = int(between[between > 1].sum())
    return (
        (f"{path.name}: {lost} frames could not be decoded; those before them stay in their place",)
        if lost
        else ()
    )


def _with_decord(request: Request, facts: _Facts, starts: Instants) -> DecodedVideo:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        # with the smallest tolerance, a frame that decord would replace by a neighbour is an error
        reader = decord.VideoReader(str(request.path.absolute()), num_threads=1, fault_tol=1e-9)
        # decord counts from the video stream's start
        shown = reader.get_frame_timestamp(range(len(reader))).astype(np.float64) + starts[0]
        if len(shown) != len(starts) or np.abs(shown[:, 0] - starts).max() > TOLERANCE:
            raise DecodeError(request.path, "decord reads other times from it than its packets have")
        covered = shown[-1, 1] if shown[-1, 1] > starts[-1] else starts[-1] + facts.period
        _check_covered(request, covered, facts)
        when = instants(request.rate, request.start, min(request.end, covered))
        wanted, place = np.unique(shown_at(starts, when), return_inverse=True)
        batch = min(DECORD_BATCH, max(1, DECORD_PIXELS // facts.pixels))
        frames = [
            resize_short_side(frame, request.size)
            for first in range(0, len(wanted), batch)
            for frame in reader.get_batch(wanted[first : first + batch]).asnumpy()
        ]
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError) as error:
        raise DecodeError(request.path, f"decord: {str(error).strip().splitlines()[0]}") from error
    return DecodedVideo(np.stack(frames)[place], when - request.start, "decord")


def _check_covered(request: Request, covered: float, facts: _Facts) -> None:
    """A span behind the end is a mistake; a video that ends long before it says it does was truncated."""
    if covered <= request.start:
        reason = f"the span starts at {request.start:g} s but the video ends at {covered:.2f} s"
        raise DecodeError(request.path, reason)
    asked = min(request.end, facts.end) - request.start
    got = min(request.end, covered) - request.start
    if got < LEAST_COVERED * asked:
        reason = f"only {got:.2f} of {asked:.2f} s of video can be decoded: truncated or damaged"
        raise DecodeError(request.path, reason)
