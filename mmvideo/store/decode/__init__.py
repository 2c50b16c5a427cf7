"""Frames, sound and subtitles out of video files. The only place that imports a container library.

Time zero of a file is where its container starts, for all its streams (a file cut from a broadcast may
start at hours).
"""

from mmvideo.store.decode.audio import decode_audio
from mmvideo.store.decode.container import DecodeError, MediaInfo, probe
from mmvideo.store.decode.subtitles import decode_subtitles, has_subtitles
from mmvideo.store.decode.video import (
    Backend,
    DecodedVideo,
    Decoder,
    decode_frames,
    decode_video,
    decord_installed,
)
from mmvideo.store.decode.whole import Look, look_at

__all__ = [
    "Backend",
    "DecodeError",
    "DecodedVideo",
    "Decoder",
    "Look",
    "MediaInfo",
    "decode_audio",
    "decode_frames",
    "decode_subtitles",
    "decode_video",
    "decord_installed",
    "has_subtitles",
    "look_at",
    "probe",
]
