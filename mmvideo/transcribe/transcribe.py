"""Subtitles from sound: a .srt beside each clip, by a speech recogniser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from mmvideo.clips import extensions
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.store.decode import DecodeError, decode_audio
from mmvideo.store.media import Samples
from mmvideo.store.subtitle_parser import Cue
from mmvideo.workers import NoAnswer, Pool

SILENCE = 1e-4
"""Peak of full scale 1 below which nothing can have been said (-80 dB)."""
TIME_LIMIT = 600.0
"""Seconds that decoding one file's sound may take."""
Outcome = Literal["written", "kept", "silent", "no audio", "failed"]


class Recogniser(Protocol):
    """What turns a mono waveform into timed text."""

    sample_rate: int

    def __call__(self, samples: Samples) -> list[Cue]: ...


@dataclass
class TranscribeReport:
    """How many files were written, were there already, and could not be transcribed, and why."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    """File → why it has no transcript, or an empty one."""

    @property
    def failed(self) -> int:
        return self.counts["failed"]

    def summary(self) -> str:
        """The counts, and every file without words with its reason."""
        counts = self.counts
        lines = [
            f"{counts['written']} transcribed, {counts['kept']} already there, {counts['silent']} silent "
            f"(empty .srt), {counts['no audio']} without sound (no .srt), {counts['failed']} failed."
        ]
        return "\n".join([*lines, *(f"  {name}: {reason}" for name, reason in self.reasons.items())])


def find_media(folder: Path) -> list[Path]:
    """Every video and sound file below a folder, in order of path.

    Raises:
        InputError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.")
    media = {*extensions.VIDEO, *extensions.AUDIO}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in media and path.is_file())
    if not found:
        raise InputError(f"There is no video or sound file below '{folder}' ({', '.join(sorted(media))}).")
    return found


def targets(files: Sequence[Path], base: Path, out: Path | None) -> dict[Path, Path]:
    """Media file → its .srt: beside it, or at the same place below `out` as it has below `base`.

    Raises:
        InputError: two files would share one .srt, or one lies outside `base` and `out` is given.
    """
    chosen: dict[Path, Path] = {}
    owner: dict[Path, Path] = {}
    for file in files:
        target = file.with_suffix(".srt")
        if out is not None:
            if not file.is_relative_to(base):
                raise InputError(f"{file} lies outside {base}: leave --out away, or move it there.")
            target = out / target.relative_to(base)
        if target in owner:
            raise InputError(f"{owner[target]} and {file} would both be transcribed to {target}; rename one.")
        owner[target] = file
        chosen[file] = target
    return chosen


def with_transcripts(manifest: Manifest, made: Mapping[Path, Path]) -> list[Clip]:
    """The clips, those without subtitles given the .srt made from their sound, if it is there."""
    clips = []
    for clip in manifest.clips:
        target = None if clip.subtitles else made.get(sound_file(clip, manifest) or Path())
        if target is not None and target.exists():
            inside = target.is_relative_to(manifest.root)
            name = target.relative_to(manifest.root) if inside else target.absolute()
            clip = clip.model_copy(update={"subtitles": name.as_posix()})
        clips.append(clip)
    return clips


def sound_file(clip: Clip, manifest: Manifest) -> Path | None:
    """Where the clip's sound is: its own file, else its video."""
    return manifest.path(clip, "audio") or manifest.path(clip, "video")


def transcribe(
    jobs: Mapping[Path, Path],
    recogniser: Recogniser,
    report: TranscribeReport,
    *,
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Path, Outcome]]:
    """Write the .srt of every media file that has none yet, and enter each into `report`.

    A file is written whole or not at all, so that an interrupted run goes on where it stopped. Digital
    silence gets an empty .srt (a recogniser would make up words); a file without sound gets none. Decoding is
    another process's work, which may crash or take no longer than `time_limit` seconds a file.
    """
    with Pool(_heard, workers=1, time_limit=time_limit) as pool:
        for file, target in jobs.items():
            outcome, reason = _one(file, target, recogniser, pool)
            report.counts[outcome] += 1
            if reason:
                report.reasons[str(file)] = reason
            yield file, outcome


def _heard(job: tuple[Path, int]) -> Samples | DecodeError | None:
    """In a worker: a file's sound at a sample rate; None if it has none."""
    file, sample_rate = job
    try:
        heard = decode_audio(file, sample_rate=sample_rate)
    except DecodeError as error:
        return error
    return None if heard is None else heard[0]


def _one(
    file: Path, target: Path, recogniser: Recogniser, pool: Pool[tuple[Path, int], Any]
) -> tuple[Outcome, str | None]:
    if target.exists():
        return "kept", None
    pool.give((file, recogniser.sample_rate))
    ((_, samples),) = pool.ended()
    if isinstance(samples, DecodeError | NoAnswer):
        return "failed", samples.reason
    if samples is None:
        return "no audio", "no audio track"
    if np.abs(samples).max(initial=0.0) < SILENCE:
        write_whole(target, b"")
        return "silent", "its audio track is silent"
    write_whole(target, to_srt(recogniser(samples)).encode())
    return "written", None


def to_srt(cues: Sequence[Cue]) -> str:
    """The cues as a SubRip file."""
    import pysubs2

    file = pysubs2.SSAFile()
    for cue in cues:
        event = pysubs2.SSAEvent(start=round(cue.start * 1000), end=round(cue.end * 1000))
        event.plaintext = cue.text.replace("-->", "→")
        file.append(event)
    return file.to_string("srt")
