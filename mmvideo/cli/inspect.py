"""`mmvideo inspect`: what the model will see of a clip, or of a manifest."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import parse
from mmvideo.clips.manifest import check_files, read_manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.studies.base import load_base

SHOWN_SETTINGS = (
    *("frame_rate", "frame_size", "crop_size", "max_seconds", "sampling", "frames"),
    *("sample_rate", "hop_seconds", "audio_snr_db", "max_tokens", "metadata_fields", "text_template"),
)


@dataclass
class Inspect:
    """Write a page that shows what the model will see.

    Of a clip: the frames it gets, its log-mel spectrogram, and its word pieces, on one clock. Of a manifest,
    also: what the audit finds, class balance, which clips have which modality, durations, what could not be
    decoded; for this, all clips are decoded into the store, as training would.
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CLIP|MANIFEST")]
    """A video or sound file, or a manifest.jsonl."""
    config: str | None = None
    """The configuration to see it with: path/to/file.py:function, a run's directory, or a config.json."""
    out: Path = Path("inspect.html")
    """A .html page; for one clip also a .png."""
    examples: int = 6
    """Clips of a manifest to show, of each class one in turn."""
    subtitles: Path | None = None
    """Of one clip: its subtitle file. None: the one beside it, else its own subtitle track."""
    store: Path | None = None
    """Folder of decoded clips. None: the configuration's; for one clip, none is kept."""


def run(arguments: list[str]) -> int:
    """`mmvideo inspect CLIP|MANIFEST [OPTIONS]`"""
    options = parse(Inspect, "inspect", arguments)
    config = RunConfig() if options.config is None else load_base(options.config)
    suffix = options.out.suffix.lower()
    of_manifest = options.source.suffix.lower() in (".jsonl", ".ndjson")
    if suffix not in ((".html",) if of_manifest else (".html", ".png")):
        raise InputError(f"--out must end in .html{'' if of_manifest else ' or .png'}, not '{options.out}'.")
    if options.examples < 0:
        raise InputError(f"--examples must not be negative; got {options.examples}.")
    written = _manifest_page(options, config) if of_manifest else _clip_page(options, config)
    write_whole(options.out, written)
    print(f"written: {options.out}")
    return 0


def _clip_page(options: Inspect, config: RunConfig) -> bytes:
    from mmvideo.inspection.contents import decode, single_clip, view_examples
    from mmvideo.inspection.page import render_inspection
    from mmvideo.inspection.picture import draw, png

    manifest = single_clip(options.source, options.subtitles)
    with tempfile.TemporaryDirectory() as scratch:
        decoded = decode(manifest, config.data, options.store or Path(scratch))
        for reason in decoded.report.failed.values():
            raise InputError(reason)
        views = view_examples(decoded, config, 1)
    if options.out.suffix.lower() == ".png":
        return png(draw(views[0], config.audio.mel_bins))
    notes = []
    if views[0].pieces and config.text.model is None:
        notes.append(
            "The word pieces are those of a tokenizer trained on this clip alone; a run's is trained on its "
            "training split."
        )
    page = render_inspection(
        options.source.name,
        views,
        None,
        mel_bins=config.audio.mel_bins,
        settings=_settings(config.data),
        notes=notes,
    )
    return page.encode()


def _manifest_page(options: Inspect, config: RunConfig) -> bytes:
    from mmvideo.data.run_data import with_metadata
    from mmvideo.inspection.contents import decode, survey_manifest, view_examples
    from mmvideo.inspection.page import render_inspection

    manifest = read_manifest(options.source)
    check_files(manifest)
    decoded = decode(manifest, config.data, options.store or Path(config.data.store))
    present = with_metadata(manifest, decoded.report.present, config.data)
    page = render_inspection(
        str(options.source),
        view_examples(decoded, config, options.examples),
        survey_manifest(decoded, present, config.data.task),
        mel_bins=config.audio.mel_bins,
        settings=_settings(config.data),
    )
    return page.encode()


def _settings(data: DataConfig) -> dict[str, str]:
    """What of the configuration decides what is seen."""
    given = data.model_dump()
    return {f"data.{name}": str(given[name]) for name in SHOWN_SETTINGS}
