"""The endings by which media files are known, in small letters."""

from __future__ import annotations

VIDEO = (
    ".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".m2ts", ".mts",
    ".3gp", ".3g2", ".ogv", ".asf", ".vob", ".gif",
)  # fmt: skip
AUDIO = (
    ".wav", ".flac", ".mp3", ".m4a", ".ogg", ".oga", ".opus", ".aac", ".wma", ".mka", ".weba", ".aif",
    ".aiff",
)  # fmt: skip
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
"""In the order in which they are looked for beside a clip."""
OTHER_SUBTITLES = (
    ".ttml", ".dfxp", ".srv1", ".srv2", ".srv3", ".json3", ".sbv", ".sub", ".smi", ".lrc", ".sup",
)  # fmt: skip
"""Subtitles that are not read."""
WITH_SUBTITLES = (".mkv", ".mp4", ".m4v", ".mov", ".webm", ".mks", ".ogv")
"""Video files that can carry subtitles inside them."""
UNFINISHED = (".part", ".ytdl", ".crdownload", ".partial", ".download", ".aria2", ".tmp")
"""What downloaders call what they have not finished."""
