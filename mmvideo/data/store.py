"""The store: every clip decoded once, found again by its content.

A clip's key is a hash of its files' contents, its span, the sampling settings and the decoder: what changes
the arrays changes the key; moving or renaming files does not. Layout under the root:

    objects/<first two digits>/<key>.safetensors   a decoded clip
    index.json                                     key → which modalities are present, which decoder
    failures.json                                  key → why it could not be decoded
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mmvideo.config import DataConfig
from mmvideo.data.builder import Decoded, Job, Lost, decode_all
from mmvideo.data.clipfile import StoredClip, read_clip, read_header
from mmvideo.data.decode import Backend, decord_installed
from mmvideo.data.files import read_json, write_json
from mmvideo.data.hashing import ContentHashes
from mmvideo.data.manifest import MEDIA_FIELDS, Clip, Manifest, shown
from mmvideo.data.progress import tracked
from mmvideo.words import InputError, Modality

STORE_VERSION = 1
"""Raise it when the arrays that decoding gives would change."""


@dataclass(frozen=True)
class StoreSettings:
    """How clips are sampled into the store."""

    frame_rate: float
    """Frames per second."""
    frame_size: int
    """Short side in pixels."""
    sample_rate: int
    """Audio samples per second, mono."""
    backend: Backend = "auto"

    @classmethod
    def from_config(cls, data: DataConfig) -> StoreSettings:
        """The settings a run's configuration asks for."""
        return cls(float(data.frame_rate), data.frame_size, data.sample_rate)


@dataclass
class BuildReport:
    """What a build did. `keys` and `present` hold the readable clips, `failed` the reasons of the others."""

    built: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    present: dict[str, tuple[Modality, ...]] = field(default_factory=dict)
    decoders: Counter[str] = field(default_factory=Counter)
    """How many clips' frames each decoder gave."""

    def summary(self) -> str:
        """The counts, and every failure with its reason."""
        patterns = Counter("+".join(names) or "nothing" for names in self.present.values())
        lines = [f"{self.built} clips decoded, {self.reused} already there, {len(self.failed)} failed."]
        lines += [f"  {count:>7,} with {pattern}" for pattern, count in patterns.most_common()]
        lines += [f"  failed {name}: {reason}" for name, reason in self.failed.items()]
        return "\n".join(lines)


class Store:
    """Decoded clips under one folder, shared by all runs and safe for several builders at once."""

    def __init__(self, root: str | Path, settings: StoreSettings) -> None:
        self.root = Path(root)
        self.settings = settings
        self._index_path = self.root / "index.json"
        self._failures_path = self.root / "failures.json"

    def key(self, clip: Clip, manifest: Manifest, hashes: ContentHashes) -> str:
        """The clip's name in the store: 64 hex digits.

        Raises:
            OSError: one of its files cannot be read.
        """
        backend = self.settings.backend
        if backend == "auto" and not decord_installed():
            backend = "pyav"
        files = {}
        for name in MEDIA_FIELDS:
            path = manifest.path(clip, name)
            if path is not None:
                files[name] = hashes.sha256(path)
        suffix = Path(clip.subtitles).suffix.lower() if clip.subtitles else ""
        span = [clip.start or 0.0, clip.end]
        record = [STORE_VERSION, files, suffix, span, asdict(self.settings), backend]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def read(self, key: str) -> StoredClip:
        """The decoded clip.

        Raises:
            InputError: it was never built, or its file is damaged.
        """
        return read_clip(self._object(key))

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

        Args:
            workers: decoding processes.
            time_limit: seconds one clip may take.
            max_failed_share: share of the manifest's clips that may fail.
            progress: show how far it is.

        Raises:
            InputError: more clips failed than allowed. What was built stays.
        """
        keys, report = self._keys(manifest, hashes)
        known = self._known(set(keys.values()))
        failures = {} if retry else self._standing_failures(time_limit)
        clip_of = {keys[clip.id]: clip for clip in manifest.clips if clip.id in keys}
        todo = {key: clip for key, clip in clip_of.items() if key not in known and key not in failures}
        found: dict[str, dict[str, Any]] = {}
        lost: dict[str, dict[str, Any]] = {}
        jobs = [self._job(key, clip, manifest) for key, clip in todo.items()]
        try:
            outcomes = self._outcomes(jobs, workers, time_limit)
            for job, outcome in tracked(outcomes, len(jobs), "Decoding clips", progress):
                if isinstance(outcome, Decoded):
                    found[job.key] = asdict(outcome)
                else:
                    limit = time_limit if outcome.killed else None
                    lost[job.key] = {"clip": todo[job.key].id, "reason": outcome.reason, "time_limit": limit}
        finally:
            self._remember(found, lost)
        self._fill(report, manifest, keys, known | found, failures | lost, set(found))
        _check_share(report, len(manifest.clips), max_failed_share, self._failures_path)
        return report

    def _object(self, key: str) -> Path:
        return self.root / "objects" / key[:2] / f"{key}.safetensors"

    def _keys(self, manifest: Manifest, hashes: ContentHashes) -> tuple[dict[str, str], BuildReport]:
        """Each clip's key; a clip whose files cannot be read starts the report's failures."""
        keys: dict[str, str] = {}
        report = BuildReport()
        for clip in manifest.clips:
            try:
                keys[clip.id] = self.key(clip, manifest, hashes)
            except OSError as error:
                report.failed[clip.id] = f"{error.filename}: {error.strerror}"
        hashes.save()
        return keys, report

    def _known(self, keys: set[str]) -> dict[str, dict[str, Any]]:
        """What the index says of those keys that are stored; after a kill it may lag behind the objects."""
        index = read_json(self._index_path)
        stored = {key for key in keys if self._object(key).exists()}
        unlisted = {key: read_header(self._object(key)) for key in stored - index.keys()}
        if unlisted:
            write_json(self._index_path, read_json(self._index_path) | unlisted)
        return {key: (index | unlisted)[key] for key in stored}

    def _standing_failures(self, time_limit: float) -> dict[str, dict[str, Any]]:
        return {
            key: failure
            for key, failure in read_json(self._failures_path).items()
            if failure["time_limit"] is None or failure["time_limit"] >= time_limit
        }

    def _job(self, key: str, clip: Clip, manifest: Manifest) -> Job:
        video, audio, subtitles = (manifest.path(clip, name) for name in MEDIA_FIELDS)
        return Job(
            key=key,
            target=self._object(key),
            video=video,
            audio=audio,
            subtitles=subtitles,
            start=clip.start or 0.0,
            end=clip.end,
            **asdict(self.settings),
        )

    def _outcomes(
        self, jobs: list[Job], workers: int, time_limit: float
    ) -> Iterator[tuple[Job, Decoded | Lost]]:
        """Each job's last outcome: what crashed or hung is tried once more, with the other decoder."""
        again = []
        for job, outcome in decode_all(jobs, workers=workers, time_limit=time_limit):
            if isinstance(outcome, Lost) and outcome.killed and job.backend == "auto" and decord_installed():
                again.append(replace(job, backend="pyav"))
            else:
                yield job, outcome
        yield from decode_all(again, workers=workers, time_limit=time_limit)

    def _remember(self, found: Mapping[str, Any], lost: Mapping[str, Any]) -> None:
        """Add to the index and the list of failures what this build found out."""
        if found:
            write_json(self._index_path, {**read_json(self._index_path), **found})
        failures = read_json(self._failures_path)
        standing = {key: failure for key, failure in failures.items() if key not in found} | dict(lost)
        if standing != failures:
            write_json(self._failures_path, standing)

    def _fill(
        self,
        report: BuildReport,
        manifest: Manifest,
        keys: Mapping[str, str],
        known: Mapping[str, Mapping[str, Any]],
        failures: Mapping[str, Mapping[str, Any]],
        built: Collection[str],
    ) -> None:
        """Enter every clip of the manifest into the report, as readable or as failed."""
        for clip in manifest.clips:
            key = keys.get(clip.id)
            if key is None:
                continue
            if key not in known:
                report.failed[clip.id] = failures[key]["reason"]
                continue
            report.keys[clip.id] = key
            report.present[clip.id] = tuple(known[key]["present"])
            report.built += key in built
            report.reused += key not in built
            if known[key]["decoder"]:
                report.decoders[known[key]["decoder"]] += 1


def fingerprint(manifest: Manifest, report: BuildReport) -> str:
    """SHA-256 of what the runs will see, whatever it is called on disk and in whatever order it is listed."""
    rows = [
        [
            *(clip.id, clip.label, clip.split, clip.group),
            sorted(clip.metadata.items()),
            report.keys.get(clip.id, "failed"),
        ]
        for clip in manifest.clips
    ]
    return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()


def _check_share(report: BuildReport, clips: int, allowed: float, failures_path: Path) -> None:
    count = len(report.failed)
    if count > allowed * clips:
        reasons = shown([f"{name}: {reason}" for name, reason in report.failed.items()], "\n")
        raise InputError(
            f"{count} of {clips} clips ({count / clips:.1%}) failed to decode; at most {allowed:.1%} may "
            f"(data.max_failed_share).\n{reasons}\nReplace these files, take their rows out of the manifest, "
            f"or allow more. What was decoded is kept. To try again what failed, delete {failures_path}."
        )
