"""Whether stored pictures are those that ffmpeg shows at the same time, over a matrix of files made here.

    python experiments/benchmarks/decoders.py [--keep folder] [--only text] [--backend auto]

Needs the `ffmpeg` and `ffprobe` binaries. Each frame of the source carries its number as a row of black and
white blocks, and its sound is loud in every other second. A file is *same* if at every sampled instant, of
the whole and of spans, the store's decoder gives the frame that ffmpeg lists for that time, and the sound
there is that frame's; *refused* if it is refused with a reason; *told* if it differs and a warning of it says
what is not as in the file; and else *other*, which is a fault. Time zero
is the container's start (see `mmvideo.store.decode.clock`). Of joined files, ffmpeg lists the parts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvideo.store.decode import Backend, DecodeError, decode_audio, decode_video
from mmvideo.store.media import shown_at

WIDTH, HEIGHT, FPS, SECONDS = 160, 120, 25, 8
BLOCKS = 10
"""A white one, eight bits, a black one."""
EDGE = 0.002
"""Seconds around a frame's start within which either frame is right: containers round."""
JOIN = 0.03
"""The same where parts are joined: durations are told less exactly."""
HELD_FRAME = 0.1
"""Seconds for which a frame tells what is to be heard; one held for longer bridges two pieces."""
SHARE_OF_SOUND = 0.95
OUTCOMES = ("same", "refused", "told", "other")
SPANS = ((0.0, None), (1.37, 2.6), (3.1, None))

CODECS: dict[str, tuple[str, ...]] = {
    "h264": ("libx264", "-g", "50", "-bf", "3"),
    "h264-nob": ("libx264", "-g", "50", "-bf", "0"),
    "h264-open": ("libx264", "-g", "30", "-bf", "3", "-x264-params", "open-gop=1"),
    "h264-refresh": ("libx264", "-g", "40", "-x264-params", "intra-refresh=1"),
    "h264-long": ("libx264", "-g", "999", "-bf", "2"),
    "h264-woven": ("libx264", "-g", "50", "-flags", "+ilme+ildct"),
    "hevc": ("libx265", "-g", "50", "-x265-params", "log-level=none"),
    "mpeg4": ("mpeg4", "-g", "40", "-bf", "0", "-q:v", "3"),
    "mpeg4-b": ("mpeg4", "-g", "40", "-bf", "2", "-q:v", "3"),
    "xvid": ("libxvid", "-g", "40", "-bf", "2", "-q:v", "3"),
    "msmpeg4": ("msmpeg4", "-g", "40", "-q:v", "3"),
    "mpeg1": ("mpeg1video", "-g", "15", "-bf", "2", "-q:v", "3"),
    "mpeg2": ("mpeg2video", "-g", "15", "-bf", "2", "-q:v", "3"),
    "vp8": ("libvpx", "-g", "50", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8"),
    "vp9": ("libvpx-vp9", "-g", "50", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8"),
    "av1": ("libsvtav1", "-g", "50", "-preset", "12"),
    "theora": ("libtheora", "-g", "50", "-q:v", "7"),
    "flv1": ("flv", "-g", "50", "-q:v", "3"),
    "wmv2": ("wmv2", "-g", "50", "-q:v", "3"),
    "mjpeg": ("mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"),
    "gif": ("gif",),
}
MP3 = "libmp3lame"
SOUND = {"webm": "libopus", "ogv": "libvorbis", "avi": MP3, "flv": MP3, "mpg": "mp2", "wmv": "wmav2"}
H264 = ("h264", "h264-nob", "h264-open", "h264-refresh", "h264-long", "h264-woven")
HELD: dict[str, tuple[str, ...]] = {
    "mp4": (*H264, "hevc", "mpeg4", "mpeg4-b", "vp9", "av1", "mpeg2"),
    "mov": ("h264", "h264-open", "mpeg4-b", "mjpeg"),
    "mkv": (*H264, "hevc", "mpeg4", "mpeg4-b", "vp8", "vp9", "mpeg2", "theora", "mjpeg"),
    "webm": ("vp8", "vp9", "av1"),
    "avi": ("mpeg4", "mpeg4-b", "xvid", "h264", "h264-nob", "msmpeg4", "mjpeg"),
    "ts": ("h264", "h264-open", "h264-woven", "hevc", "mpeg2"),
    "m2ts": ("h264", "mpeg2"),
    "mpg": ("mpeg1", "mpeg2"),
    "ogv": ("theora",),
    "flv": ("h264", "h264-nob", "flv1"),
    "wmv": ("wmv2",),
    "nut": ("h264", "mpeg4-b"),
    "gif": ("gif",),
}
CUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "whole": ((), ()),
    "from": (("-ss", "2.31"), ()),
    "from-to": (("-ss", "1.13"), ("-t", "4.1")),
    "trimmed": ((), ("-ss", "1.52")),
    "offset": ((), ("-output_ts_offset", "7.25")),
    "picture-late": ((), ()),
    "sound-late": ((), ()),
}
"""Name → options before and after the input, all with packets copied. Late ones are made below."""


@dataclass
class Case:
    """A file, and how its picture has to be turned back before its blocks are read."""

    path: Path
    kind: str
    upright: Callable[[NDArray[Any]], NDArray[Any]] = field(default=lambda picture: picture)
    lag: float | None = 0.0
    """Seconds by which the sound is behind the picture it was made with; None: the container cannot tell."""
    parts: tuple[Path, ...] = ()
    """Of what it was joined."""


@dataclass
class Listed:
    """What ffmpeg shows: the number of each frame, and when it starts."""

    numbers: list[int]
    times: NDArray[np.float64]
    shape: float
    """Width over height, as shown."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="a folder for the files")
    parser.add_argument("--only", default="", help="files whose name has this in it")
    parser.add_argument("--backend", choices=["auto", "pyav", "decord"], default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        table: dict[str, Counter[str]] = {}
        decoders: Counter[str] = Counter()
        for case in cases(folder, options.only):
            outcome, decoder, details = judge(case, options.backend)
            table.setdefault(case.kind, Counter())[outcome] += 1
            decoders[decoder] += 1
            if outcome != "same":
                print(f"{outcome}: {case.path.name}: {details}", file=sys.stderr)
    print(f"{'':24}" + "".join(f"{name:>8}" for name in OUTCOMES))
    for kind, counts in [*sorted(table.items()), ("all", sum(table.values(), Counter()))]:
        print(f"{kind:24}" + "".join(f"{counts[name]:8}" for name in OUTCOMES))
    print("decoders:", dict(decoders))


def frames() -> Iterator[NDArray[np.uint8]]:
    """(H, W) grey pictures: blocks above, which tell the number, and below them something that moves."""
    greys = np.random.default_rng(0).integers(40, 215, (8, 20), np.uint8)
    texture = np.kron(greys, np.ones((8, 8), np.uint8))
    for number in range(FPS * SECONDS):
        bits = [1, *(number >> place & 1 for place in range(8)), 0]
        blocks = np.kron(np.array([bits], np.uint8) * 255, np.ones((HEIGHT - 64, WIDTH // BLOCKS), np.uint8))
        yield np.concatenate([blocks, np.roll(texture, number, axis=1)])


def number(picture: NDArray[Any]) -> int:
    """The number that a grey picture of any size carries; -1 if it carries none."""
    height, width = picture.shape
    row = picture[round(height * 0.1) : round(height * 0.35)].astype(float).mean(axis=0)
    edges = [round(width * k / BLOCKS) for k in range(BLOCKS + 1)]
    margin = max(1, width // (BLOCKS * 4))
    levels = [row[a + margin : b - margin].mean() for a, b in itertools.pairwise(edges)]
    if levels[0] - levels[-1] < 100:
        return -1
    middle = (levels[0] + levels[-1]) / 2
    return sum((level > middle) << place for place, level in enumerate(levels[1:-1]))


def ff(*arguments: str | Path, data: bytes | None = None) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def probed(*arguments: str | Path) -> Any:
    command = ["ffprobe", "-v", "error", "-of", "json", *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def made(target: Path, *arguments: str | Path) -> bool:
    """Whether ffmpeg could make the file; not every container takes everything."""
    try:
        ff(*arguments, target)
    except subprocess.CalledProcessError:
        return False
    return target.stat().st_size > 500


def cases(folder: Path, only: str) -> Iterator[Case]:
    raw = b"".join(picture.tobytes() for picture in frames())
    plain = folder / "source.nut"
    shape = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS))
    loud = f"aevalsrc='0.5*sin(2*PI*440*t)*mod(floor(t),2)':s=44100:d={SECONDS}"
    ff(*shape, "-i", "-", "-f", "lavfi", "-i", loud, "-c:v", "ffv1", "-c:a", "pcm_s16le", plain, data=raw)
    for case in itertools.chain(copied(folder, plain), odd_times(folder, plain), geometry(folder, plain)):
        if only in case.path.name:
            yield case


def encoded(folder: Path, plain: Path, codec: str, container: str) -> Path | None:
    target = folder / f"{codec}.whole.{container}"
    pixels = () if codec in ("gif", "mjpeg") else ("-pix_fmt", "yuv420p")
    sound = ("-an",) if container == "gif" else ("-c:a", SOUND.get(container, "aac"))
    return target if made(target, "-i", plain, "-c:v", *CODECS[codec], *pixels, *sound) else None


def copied(folder: Path, plain: Path) -> Iterator[Case]:
    """Containers × codecs × cuts."""
    for container, codecs in HELD.items():
        for codec in codecs:
            whole = encoded(folder, plain, codec, container)
            if whole is None:
                print(f"not made: {codec} in {container}", file=sys.stderr)
                continue
            for cut, (before, after) in CUTS.items():
                if container == "avi" and cut in ("offset", "sound-late"):
                    continue  # it cannot hold them
                kind = f"{container}"
                if cut == "whole":
                    yield Case(whole, kind)
                    continue
                target = folder / f"{codec}.{cut}.{container}"
                if cut.endswith("-late"):
                    shifted, other = ("0:v", "1:a?") if cut == "picture-late" else ("0:a?", "1:v")
                    inputs = ("-itsoffset", "0.56", "-i", whole, "-i", whole, "-map", shifted, "-map", other)
                    done = container != "gif" and made(target, *inputs, "-c", "copy")
                else:
                    done = made(target, *before, "-i", whole, *after, "-c", "copy")
                if done:
                    lag = {"picture-late": -0.56, "sound-late": 0.56}.get(cut, 0.0)
                    yield Case(target, kind, lag=None if container == "avi" else lag)


def odd_times(folder: Path, plain: Path) -> Iterator[Case]:
    """Variable rates, fragments, missing edit lists, jumps and what was lost."""
    base = {name: folder / f"{name}.whole.mp4" for name in ("h264", "h264-open", "hevc", "mpeg4-b")}
    uneven = "select='not(eq(mod(n,7),3)+between(n,60,85))'"
    for name in ("h264.mp4", "h264.mkv", "vp9.webm", "mpeg4-b.mov", "h264.ts"):
        codec, container = name.split(".")
        target = folder / f"{codec}.uneven.{container}"
        how = ("-vf", uneven, "-fps_mode", "vfr", "-c:v", *CODECS[codec])
        if made(target, "-i", plain, *how, "-c:a", SOUND.get(container, "aac")):
            yield Case(target, "variable rate")
    for name, path in base.items():
        ways: dict[str, tuple[str, ...]] = {
            "fragmented": ("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
            "no-edit-list": ("-use_editlist", "0"),
            "negative-offsets": ("-movflags", "negative_cts_offsets"),
            "coarse": ("-video_track_timescale", "30"),
        }
        for way, flags in ways.items():
            for cut, before in (("whole", ()), ("cut", ("-ss", "2.31"))):
                target = folder / f"{name}.{way}-{cut}.mp4"
                if made(target, *before, "-i", path, "-c", "copy", *flags):
                    yield Case(target, "edit lists")
        for container in ("mkv", "mp4"):
            target = folder / f"{name}.negative.{container}"
            if made(target, "-ss", "2.31", "-i", path, "-c", "copy", "-avoid_negative_ts", "disabled"):
                yield Case(target, "negative")
        for container in ("mp4", "mkv", "ts"):
            target = folder / f"{name}.lost.{container}"
            if made(target, "-i", path, "-c", "copy", "-bsf:v", "noise=drop=eq(mod(n\\,50)\\,45)", "-an"):
                yield Case(target, "lost packets")
    for name, stream in (("h264", "h264"), ("hevc", "hevc"), ("mpeg4-b", "m4v")):
        target = folder / f"{name}.bare.{stream}"
        if made(target, "-i", base[name], "-an", "-c", "copy"):
            yield Case(target, "no timestamps")
    yield from jumping(folder)


def jumping(folder: Path) -> Iterator[Case]:
    """Transport streams: joined, with a clock that jumps, wraps, or starts anywhere."""
    for codec, container in itertools.product(("h264", "h264-open", "hevc", "mpeg2"), ("ts", "mpg", "m2ts")):
        whole = folder / f"{codec}.whole.{'ts' if codec != 'mpeg2' else 'm2ts'}"
        for name, offset in (("wrapped", "95440.5"), ("wraps", "95360"), ("far", "40000")):
            target = folder / f"{codec}.{name}.{container}"
            if container != "mpg" and made(target, "-i", whole, "-c", "copy", "-output_ts_offset", offset):
                yield Case(target, "clock")
        parts = []
        for part, (start, offset) in enumerate((("0", "0"), ("4", "0"), ("2", "1000"))):
            target = folder / f"{codec}.part{part}.{container}"
            how = ("-ss", start, "-i", whole, "-t", "3", "-c", "copy", "-output_ts_offset", offset)
            if made(target, *how):
                parts.append(target)
        if len(parts) == 3:
            orders = {"joined": (0, 1), "ahead": (0, 2), "back": (2, 0), "three": (1, 2, 0)}
            for name, order in orders.items():
                target = folder / f"{codec}.{name}.{container}"
                chosen = tuple(parts[part] for part in order)
                target.write_bytes(b"".join(part.read_bytes() for part in chosen))
                yield Case(target, "clock", parts=chosen)


def geometry(folder: Path, plain: Path) -> Iterator[Case]:
    for codec, container, aspect in itertools.product(
        ("h264", "mpeg2", "mpeg4", "vp9"), ("mp4", "mkv", "ts"), ("16/9", "10/11")
    ):
        target = folder / f"{codec}.{aspect.replace('/', 'to')}.{container}"
        options = ("-vf", f"setsar={aspect}", "-c:v", *CODECS[codec], "-pix_fmt", "yuv420p", "-c:a", "aac")
        if (codec, container) != ("vp9", "ts") and made(target, "-i", plain, *options):
            yield Case(target, "geometry")
    whole = folder / "h264.whole.mp4"
    turns: dict[str, tuple[tuple[int, int, int, int], Callable[[NDArray[Any]], NDArray[Any]]]] = {
        "90": ((0, 1, -1, 0), lambda p: np.rot90(p)),
        "180": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        "270": ((0, -1, 1, 0), lambda p: np.rot90(p, 3)),
        "hflip": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        "vflip": ((1, 0, 0, -1), lambda p: p[::-1]),
        "transpose": ((0, 1, 1, 0), lambda p: p.T),
        "antitranspose": ((0, -1, -1, 0), lambda p: p[::-1, ::-1].T),
    }
    for name, (matrix, upright) in turns.items():
        for source in (whole, folder / "h264.16to9.mp4"):
            target = folder / f"{source.name.split('.')[1]}.{name}.mp4"
            target.write_bytes(turned(source.read_bytes(), matrix))
            yield Case(target, "geometry", upright)


def turned(data: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """An MP4 file with another display matrix [a b; c d] in its first track."""
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    words = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    return data[:at] + b"".join(word.to_bytes(4, "big", signed=True) for word in words) + data[at + 36 :]


def listed(case: Case) -> Listed:
    """ffmpeg's own list of the frames it shows."""
    command = ["ffmpeg", "-v", "info", "-copyts", "-i", str(case.path), "-map", "0:V:0", "-vf", "showinfo"]
    out = ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run([*command, *out], capture_output=True)
    base = re.search(rb"config in time_base: (\d+)/(\d+)", done.stderr)
    found = re.findall(rb"\bpts: *(-?\d+) .*? sar:(\d+)/(\d+) s:(\d+)x(\d+)", done.stderr)
    if not found or base is None:
        return Listed([], np.zeros(0), 1.0)
    assert len({tuple(row[1:]) for row in found}) == 1, case.path
    wide, high, width, height = (int(value) for value in found[0][1:])
    size = (height, width)
    pictures = np.frombuffer(done.stdout, np.uint8)
    pictures = pictures[: len(pictures) // (size[0] * size[1]) * size[0] * size[1]].reshape(-1, *size)
    numbers = [number(case.upright(picture)) for picture in pictures]
    times = np.array([int(row[0]) * int(base[1]) / int(base[2]) for row in found[: len(numbers)]])
    shape = width * (wide or 1) / (height * (high or 1))
    return Listed(numbers, times - zero(case.path, times), shape)


def zero(path: Path, video: NDArray[np.float64]) -> float:
    start = float(probed("-show_entries", "format=start_time", path)["format"].get("start_time", 0))
    if start >= 0:
        return start
    wanted = ("-select_streams", "a:0", "-show_entries", "frame=pts_time", "-read_intervals", "%+1")
    heard = [float(one["pts_time"]) for one in probed(*wanted, path).get("frames", []) if "pts_time" in one]
    return min([*heard[:1], float(video.min())])


def judge(case: Case, backend: Backend) -> tuple[str, str, str]:
    """Which of `OUTCOMES`; the decoder; and what is to be said."""
    decoder = ""
    theirs = listed(case)
    if case.parts:
        theirs = end_to_end(case.parts)
    for start, end in SPANS:
        if len(theirs.times) and start >= theirs.times[-1]:
            continue
        try:
            video = decode_video(case.path, rate=10, start=start, end=end, size=60, backend=backend)
            sound = decode_audio(case.path, sample_rate=8000, start=start, end=end)
        except DecodeError as error:
            return "refused", decoder or "none", error.reason
        if video is None or not len(theirs.times):
            assert (video is None) == (not len(theirs.times)), case.path
            continue
        decoder = decoder or video.decoder
        high, wide = video.frames.shape[1:3]
        if abs(wide - theirs.shape * high) > 1.5 * max(1, theirs.shape):
            return "other", decoder, f"it is {wide}x{high}, not {theirs.shape:.2f} as wide as high"
        ours = [number(case.upright(frame[..., 1])) for frame in video.frames]
        when = video.times + start
        shown = shown_then(theirs, when, JOIN if case.parts else EDGE)
        wrong = [
            (round(float(time), 3), mine, right)
            for time, mine, right in zip(when, ours, shown, strict=True)
            if mine not in right
        ]
        where = f"span from {start}: "
        if wrong:
            different = f"{where}{len(wrong)} of {len(ours)} frames, first {wrong[:4]}"
            return "told" if video.warnings else "other", decoder, f"{different}; told: {video.warnings}"
        lasts = min(end or 1e9, float(theirs.times[-1])) - start
        if not lasts - 0.15 <= len(ours) / 10 <= lasts + 0.5:
            return "other", decoder, f"{where}{len(ours) / 10} s instead of about {lasts}"
        share = 1.0 if sound is None or case.lag is None else in_step(sound[0], when, theirs, case.lag, start)
        if share < SHARE_OF_SOUND:
            return "other", decoder, f"{where}the sound is another one at {1 - share:.0%} of the frames"
    return "same", decoder, ""


def end_to_end(parts: tuple[Path, ...]) -> Listed:
    """The parts' own lists, each starting where the longest stream of the one before ends."""
    lists, begins = [listed(Case(part, "")) for part in parts], [0.0]
    for part in parts[:-1]:
        lasts = float(probed("-show_entries", "format=duration", part)["format"]["duration"])
        begins.append(begins[-1] + lasts)
    times = [one.times + begin for one, begin in zip(lists, begins, strict=True)]
    numbers = [number for one in lists for number in one.numbers]
    return Listed(numbers, np.concatenate(times), lists[0].shape)


def shown_then(theirs: Listed, when: NDArray[np.float64], edge: float) -> list[set[int]]:
    """The frames that may be shown at each instant: more than one where one follows the other just then."""
    order = np.argsort(theirs.times, kind="stable")
    times, numbers = theirs.times[order], np.array(theirs.numbers)[order]
    around = [times[shown_at(times, when + shift)] for shift in (-edge, edge)]
    near = [(times >= a - EDGE) & (times <= b + EDGE) for a, b in zip(*around, strict=True)]
    shown = [set(numbers[which].tolist()) for which in near]
    if np.all(np.diff(theirs.times) > 0):
        return shown
    # ffmpeg's own list has frames at one time, or out of order: any of those between is as right
    return [set(range(min(numbers), max(numbers) + 1)) if len(numbers) > 1 else numbers for numbers in shown]


def in_step(
    samples: NDArray[np.float32], when: NDArray[np.float64], theirs: Listed, lag: float, start: float
) -> float:
    """The share of instants at which the sound is as loud as it was beside that frame in the source."""
    right = total = 0
    order = np.argsort(theirs.times, kind="stable")
    times = theirs.times[order]
    for time, index in zip(when, shown_at(times, when), strict=True):
        source = theirs.numbers[order[index]] / FPS + (time - times[index]) - lag
        middle = round((time - start) * 8000)
        window = samples[max(0, middle - 80) : middle + 80]
        if not 0 <= time - times[index] < HELD_FRAME or not 0.15 < source % 1 < 0.85 or len(window) < 160:
            continue
        total += 1
        right += (np.abs(window).max() > 0.1) == bool(int(source) % 2)
    return right / total if total else 1.0


if __name__ == "__main__":
    main()
