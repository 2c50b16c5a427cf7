"""The store: every clip decoded once, found again by its content.

A clip's key is a hash of its files' contents, its span, the sampling settings and the decoder: what changes
the arrays changes the key; moving or renaming files does not. Layout under the root:

    objects/<first two digits>/<key>.safetensors   a decoded clip
    failures.json                                  key → why it could not be decoded
    unsynced.json                                  while a build runs: what the disk may not have yet
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import MEDIA_FIELDS, Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.files import MADE_AGAIN, Damaged, locked, read_json, update_json
from mmvideo.progress import tracked
from mmvideo.store.build_report import BuildReport, check_share, fingerprint
from mmvideo.store.builder import Job, Lost, decode_all
from mmvideo.store.clip_format import (
    Header,
    OpenClip,
    StoredClip,
    open_clip,
    read_clip,
    read_header,
    read_lengths,
)
from mmvideo.store.keys import Source, StoreSettings
from mmvideo.store.object_store import object_path, unreadable
from mmvideo.store.unsynced import settle, unsynced, writing_objects

__all__ = ["BuildReport", "Store", "StoreSettings", "StoredClip", "fingerprint"]


class Store:
    """Decoded clips under one folder, shared by all runs and safe for several builders at once."""

    def __init__(self, root: str | Path, settings: StoreSettings) -> None:
        self.root = Path(root)
        self.settings = settings
        self._failures_path = self.root / "failures.json"
        self._told: set[Path] = set()

    def key(self, clip: Clip, manifest: Manifest, hashes: ContentHashes) -> str:
        """The clip's name in the store: 64 hex digits.

        Raises:
            OSError: one of its files cannot be read.
        """
        return Source.of(clip, manifest, hashes).key(self.settings)

    def read(self, key: str) -> StoredClip:
        """The decoded clip.

        Raises:
            InputError: it was never built, or its file is damaged.
        """
        return read_clip(self._object(key))

    def open(self, key: str, known: StoredClip | None = None) -> AbstractContextManager[OpenClip]:
        """The decoded clip without its frames, and a way to ask for some of those.

        Args:
            known: the clip, where it was opened before, so that only frames are read.

        Raises:
            InputError: on entry, or when asked: it was never built, or its file is damaged.
        """
        return open_clip(self._object(key), known)

    def lengths(self, key: str) -> dict[str, int]:
        """How many `frames` and `samples` a built clip has, without loading it."""
        return read_lengths(self._object(key))

    def build(
        self,
        manifest: Manifest,
        *,
        workers: int,
        time_limit: float,
        max_failed_share: float,
        hashes: ContentHashes,
        progress: bool = True,
        retry: bool = False,
    ) -> BuildReport:
        """Decode what is not in the store yet.

        Clips that failed before are listed again and not tried, unless `retry` is set or they were ended
        under a shorter time limit. A clip whose worker crashed or hung is given to PyAV once before it fails.
        If another process is building, this one waits, and decodes what is then still missing.

        Args:
            workers: decoding processes.
            time_limit: seconds one clip may take.
            max_failed_share: share of the manifest's clips that may fail.
            progress: show how far it is.

        Raises:
            InputError: more clips failed than allowed, or the disk is full. What was built stays.
        """
        jobs, report = self._jobs(manifest, hashes)
        wanted = {job.key: job for job in jobs.values()}

        def standing() -> tuple[dict[str, Header], dict[str, dict[str, Any]]]:
            return self._known(wanted), {} if retry else self._standing_failures(time_limit)

        known, failures = standing()
        found: dict[str, Header] = {}
        if wanted.keys() - known.keys() - failures.keys() or wanted.keys() & unsynced(self.root):
            busy = f"Another process is building the store {self.root}; waiting for it."
            with locked(self.root / "build", waiting=busy):
                settle(self.root)
                known, failures = standing()
                todo = [job for key, job in wanted.items() if key not in known and key not in failures]
                outcomes = decode_all(todo, workers=workers, time_limit=time_limit)
                with writing_objects(self.root, [job.key for job in todo]):
                    found, lost = self._collected(
                        tracked(outcomes, len(todo), "Decoding clips", progress), time_limit
                    )
                failures |= lost
        for name, job in jobs.items():
            if header := found.get(job.key) or known.get(job.key):
                report.add(name, job.key, header, built=job.key in found)
            else:
                report.failed[name] = failures[job.key]["reason"]
        check_share(report, len(manifest.clips), max_failed_share, self._failures_path)
        return report

    def _object(self, key: str) -> Path:
        return object_path(self.root, key)

    def _jobs(self, manifest: Manifest, hashes: ContentHashes) -> tuple[dict[str, Job], BuildReport]:
        """How each clip would be decoded; one whose files cannot be read starts the report's failures."""
        jobs: dict[str, Job] = {}
        report = BuildReport()
        for clip in manifest.clips:
            try:
                source = Source.of(clip, manifest, hashes)
            except OSError as error:
                report.failed[clip.id] = f"{error.filename}: {error.strerror}"
            else:
                jobs[clip.id] = self._job(clip, manifest, source)
        hashes.save()
        return jobs, report

    def _job(self, clip: Clip, manifest: Manifest, source: Source) -> Job:
        settings, key = self.settings, source.key(self.settings)
        video, audio, subtitles = (manifest.path(clip, name) for name in MEDIA_FIELDS)
        return Job(
            key=key,
            target=self._object(key),
            video=video,
            audio=audio,
            subtitles=subtitles,
            start=clip.start or 0.0,
            end=clip.end,
            frame_rate=settings.frame_rate,
            frame_size=settings.frame_size,
            sample_rate=settings.sample_rate,
            backend=settings.backend,
            jpeg_quality=settings.jpeg_quality if settings.frame_codec == "jpeg" else None,
            origin={"clip": clip.id, "source": source.digest, "settings": settings.deciding},
        )

    def _known(self, wanted: Mapping[str, Job]) -> dict[str, Header]:
        """What the stored ones of those keys hold.

        What cannot be read, or is made from something else, counts as not stored, and is replaced.
        """
        known = {}
        for key, job in wanted.items():
            if not job.target.exists():
                continue
            try:
                header = read_header(job.target)
                if header.origin is not None and header.origin["source"] != job.origin["source"]:
                    raise unreadable(job.target, "it is made from other files")
                known[key] = header
            except InputError as error:
                if job.target not in self._told:
                    print(f"{error} This is done now.", file=sys.stderr)
                self._told.add(job.target)
        return known

    def _standing_failures(self, time_limit: float) -> dict[str, dict[str, Any]]:
        standing = {}
        for key, failure in read_json(self._failures_path).items():
            match failure:
                case {"clip": str(), "reason": str(), "time_limit": None | int() | float() as limit}:
                    if limit is None or limit >= time_limit:
                        standing[key] = failure
                case _:
                    raise Damaged(f"{self._failures_path} is damaged (at {key}). {MADE_AGAIN}")
        return standing

    def _collected(
        self, outcomes: Iterable[tuple[Job, Header | Lost]], time_limit: float
    ) -> tuple[dict[str, Header], dict[str, dict[str, Any]]]:
        """The outcomes by key: what was decoded, and what failed. They are remembered, also where the work is
        cut short."""
        found: dict[str, Header] = {}
        lost, lasting = {}, {}
        try:
            for job, outcome in outcomes:
                if isinstance(outcome, Header):
                    found[job.key] = outcome
                    continue
                limit = time_limit if outcome.killed else None
                failure = {"clip": job.origin["clip"], "reason": outcome.reason, "time_limit": limit}
                lost[job.key] = failure
                if outcome.lasting:
                    lasting[job.key] = failure
        finally:
            update_json(
                self._failures_path,
                lambda listed: {key: old for key, old in listed.items() if key not in found} | lasting,
            )
        return found, lost
