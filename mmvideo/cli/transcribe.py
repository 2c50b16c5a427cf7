"""`mmvideo transcribe`: subtitles for clips that have none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mmvideo.cli.options import parse
from mmvideo.clips.manifest import Manifest, read_manifest, write_manifest
from mmvideo.errors import InputError
from mmvideo.progress import tracked
from mmvideo.transcribe.transcribe import (
    TranscribeReport,
    find_media,
    sound_file,
    targets,
    transcribe,
    with_transcripts,
)
from mmvideo.transcribe.whisper import Whisper


@dataclass
class Transcribe:
    """Write a .srt beside every clip, by speech recognition.

    What has a .srt already is left as it is, so that an interrupted run goes on where it stopped. Clips
    without sound, or with a silent track, are listed. Of a manifest, clips that have subtitles keep theirs, a
    file that several clips are cut from is transcribed once, and a copy of the manifest that names the new
    files is written beside it.
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER|MANIFEST")]
    """A folder, searched with all folders in it, or a manifest.jsonl."""
    model: str
    """A Whisper model: a local folder, or a hub name such as openai/whisper-small."""
    out: Path | None = None
    """Folder for the .srt files, arranged as the clips are. None: beside each clip."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    language: str | None = None
    """Such as `en`. None: the model finds out for itself, file by file."""
    times: Literal["cue", "word"] = "cue"
    """Time each sentence or so, or each word (slower)."""


def run(arguments: list[str]) -> int:
    """`mmvideo transcribe FOLDER|MANIFEST --model MODEL [OPTIONS]`"""
    options = parse(Transcribe, "transcribe", arguments)
    manifest: Manifest | None = None
    if options.source.is_file():
        manifest = read_manifest(options.source)
        sounds = [sound_file(clip, manifest) for clip in manifest.clips if not clip.subtitles]
        files = sorted({path for path in sounds if path is not None})
        if not files:
            raise InputError(
                f"{options.source}: every clip has subtitles already, or neither video nor audio."
            )
        base = manifest.root
    elif options.source.exists():
        base = options.source
        files = find_media(base)
    else:
        raise InputError(f"There is no folder or manifest '{options.source}'.")
    jobs = targets(files, base, options.out)
    recogniser = Whisper(options.model, device=options.device, language=options.language, times=options.times)
    report = TranscribeReport()
    for _ in tracked(transcribe(jobs, recogniser, report), len(jobs), "Transcribing"):
        pass
    print(report.summary())
    if manifest is not None:
        copy = options.source.with_name(f"{options.source.stem}.transcribed.jsonl")
        write_manifest(copy, with_transcripts(manifest, jobs))
        print(f"manifest with subtitles: {copy}")
    return 1 if report.failed else 0
