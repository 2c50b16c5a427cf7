"""Planted media to real files: H.264 and AAC in .mp4, SubRip beside it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from mmvideo.planted.render import FRAME_RATE, SAMPLE_RATE, Cue


def write_mp4(path: Path, frames: np.ndarray, samples: np.ndarray | None) -> None:
    """Encode (T, H, W, 3) uint8 frames and, unless None, (S,) float32 mono audio. Same input, same bytes."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        # without functions for one kind of processor: with AVX-512, some clips came out in several ways
        independent = {"x264-params": "cpu-independent=1"}
        options = {"crf": "16", "preset": "veryfast", "threads": "1", **independent}
        video = container.add_stream("libx264", rate=FRAME_RATE, options=options)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, FRAME_RATE)
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if samples is not None else None
        convert = VideoReformatter()
        for image in frames:
            frame = convert.reformat(
                av.VideoFrame.from_ndarray(image, format="rgb24"), format="yuv420p", threads=1
            )
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and samples is not None:
            sound = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            sound.sample_rate = SAMPLE_RATE
            sound.pts, sound.time_base = 0, Fraction(1, SAMPLE_RATE)  # or the priming delays the sound
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))


def write_srt(path: Path, cues: list[Cue]) -> None:
    """SubRip subtitles; times are in seconds."""
    blocks = [
        f"{number}\n{_stamp(cue.start)} --> {_stamp(cue.end)}\n{cue.text}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")


def _stamp(seconds: float) -> str:
    """`HH:MM:SS,mmm`."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
