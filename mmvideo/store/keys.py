"""What names a clip in the store: the content of its files, its span, and how it is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import MEDIA_FIELDS, Clip, Manifest
from mmvideo.files import digest_of
from mmvideo.store.decode import Backend, decord_installed

STORE_VERSION = 5
"""Raise it when the frames, samples or words that decoding gives would change."""


@dataclass(frozen=True)
class StoreSettings:
    """How clips are sampled into the store."""

    frame_rate: float
    """Frames per second."""
    frame_size: int | None = None
    """Short side in pixels; None: no pictures are kept."""
    sample_rate: int | None = None
    """Audio samples per second, mono; None: no sound is kept."""
    backend: Backend = "auto"
    frame_codec: Literal["raw", "jpeg"] = "raw"
    jpeg_quality: int = 90

    @property
    def deciding(self) -> dict[str, Any]:
        """The settings that change what is stored."""
        settings = asdict(self)
        if self.frame_codec == "raw":
            del settings["frame_codec"], settings["jpeg_quality"]
        return settings


@dataclass(frozen=True)
class Source:
    """What a clip is made from: the digests of its files, and its span in seconds."""

    files: Mapping[str, str]
    subtitle_format: str
    span: tuple[float, float | None]

    @classmethod
    def of(cls, clip: Clip, manifest: Manifest, hashes: ContentHashes) -> Source:
        """Raises OSError if one of the clip's files cannot be read."""
        paths = {name: manifest.path(clip, name) for name in MEDIA_FIELDS}
        files: dict[str, str] = {
            name: hashes.sha256(path) for name, path in paths.items() if path is not None
        }
        suffix = Path(clip.subtitles).suffix.lower() if clip.subtitles else ""
        return cls(files, suffix, (clip.start or 0.0, clip.end))

    @property
    def digest(self) -> str:
        """64 hex digits that name the source, however it is sampled."""
        return digest_of([self.files, self.subtitle_format, self.span])

    def key(self, settings: StoreSettings) -> str:
        """The clip's name in the store: 64 hex digits."""
        backend = settings.backend
        if backend == "auto" and not decord_installed():
            backend = "pyav"
        return digest_of(
            [STORE_VERSION, self.files, self.subtitle_format, self.span, settings.deciding, backend]
        )
