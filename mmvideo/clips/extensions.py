"""The endings by which media files are known, in small letters."""

from __future__ import annotations

VIDEO = (
    ".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp", ".ogv",
)  # fmt: skip
AUDIO = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac")
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
"""In the order in which they are looked for beside a clip."""
WITH_SUBTITLES = (".mkv", ".mp4", ".m4v", ".mov", ".webm", ".mks", ".ogv")
"""Video files that can carry subtitles inside them."""
