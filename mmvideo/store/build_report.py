"""What a build of the store did, and what it means for the runs that read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmvideo.clips.contents import FeatureDigest
from mmvideo.clips.manifest import Manifest, shown
from mmvideo.errors import InputError
from mmvideo.files import digest_of
from mmvideo.store.clip_format import BLANK, Header
from mmvideo.vocabulary import presence_pattern


@dataclass
class BuildReport:
    """What a build did. `keys` and `present` hold the readable clips, `failed` the reasons of the others."""

    built: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    present: dict[str, tuple[str, ...]] = field(default_factory=dict)
    blank: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Which of what a readable clip has holds nothing: digital silence, pictures of one colour."""
    decoders: Counter[str] = field(default_factory=Counter)
    """How many clips' frames each decoder gave."""
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What of a readable clip could not be read, had to be guessed or filled in, or is not as expected."""

    def add(self, name: str, key: str, header: Header, *, built: bool) -> None:
        """Enter a readable clip."""
        self.keys[name], self.present[name] = key, header.present
        if header.blank:
            self.blank[name] = header.blank
        if header.warnings:
            self.warnings[name] = header.warnings
        if header.decoder:
            self.decoders[header.decoder] += 1
        self.built += built
        self.reused += not built

    def summary(self) -> str:
        """The counts, and every failure with its reason."""
        patterns = Counter(presence_pattern(names) for names in self.present.values())
        counts = f"{self.built} clips decoded, {self.reused} already there, {len(self.failed)} failed"
        lines = [f"{counts}, {len(self.warnings)} with warnings."]
        lines += [f"  {count:>7,} with {pattern}" for pattern, count in patterns.most_common()]
        for kind, word in BLANK.items():
            count = sum(kind in kinds for kinds in self.blank.values())
            lines += [f"  {count:>7,} with {kind} that is {word}"] if count else []
        lines += [f"  failed {name}: {reason}" for name, reason in self.failed.items()]
        lines += [f"  warning {name}: {'; '.join(told)}" for name, told in self.warnings.items()]
        return "\n".join(lines)


def fingerprint(manifest: Manifest, report: BuildReport, features: Sequence[FeatureDigest] = ()) -> str:
    """SHA-256 of what the runs will see, whatever it is called on disk and in whatever order it is listed.

    Args:
        features: what the clips have of precomputed ones.
    """
    rows = [
        [
            *(clip.id, clip.label, clip.split, clip.group),
            sorted(clip.metadata.items()),
            report.keys.get(clip.id, "failed"),
        ]
        for clip in manifest.clips
    ]
    decoded = digest_of(sorted(rows))
    parts = [[clip.id, m, digest, steps, clip.features_rate.get(m)] for clip, m, digest, steps in features]
    return digest_of([decoded, parts]) if parts else decoded


def check_share(report: BuildReport, clips: int, allowed: float, failures_path: Path) -> None:
    """Raises InputError if more than the allowed share of the manifest's clips failed; names them."""
    count = len(report.failed)
    if count > allowed * clips:
        reasons = shown([f"{name}: {reason}" for name, reason in report.failed.items()], "\n")
        raise InputError(
            f"{count} of {clips} clips ({count / clips:.1%}) failed to decode; at most {allowed:.1%} may "
            f"(data.max_failed_share).\n{reasons}\nReplace these files, take their rows out of the manifest, "
            f"or allow more (ablate: --set data.max_failed_share=0.1). What was decoded is kept. "
            f"To try again what failed, delete {failures_path}."
        )
