"""`mmvideo inspect`: what the model is given of a clip, or of a manifest."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import parse
from mmvideo.clips.labels import task_of
from mmvideo.clips.manifest import read_manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.schema import Part
from mmvideo.studies.base import study_base

DRAWN = "No clip is in val: each run draws its own from train, with its seed (data.validation_share)."

DEFAULTS = (
    "Seen with the default configuration: windows, rates and sizes are not those that a base trains with. "
    "Name the base of your study to see these, such as --config ucf101."
)


@dataclass
class Inspect:
    """Write a page that shows what the model is given.

    Of a clip: its frames, log-mel spectrogram, word pieces and features, on one clock. Of a manifest, also:
    what the audit finds, class balance, which clips have which modality, durations, what could not be
    decoded; for this, all clips are decoded into the store, as training would.
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CLIP|MANIFEST")]
    """A video or sound file, or a manifest.jsonl."""
    config: str | None = None
    """The configuration to see it with, as a study's `--base`: a function of bases.py such as ucf101,
    path/to/file.py:function, or a run's directory (with the tokenizer that it trained) or config.json. None:
    the defaults, for the modalities that the manifest names, which are no base's."""
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
    config = None if options.config is None else study_base(options.config, beside=__file__).config
    suffix = options.out.suffix.lower()
    of_manifest = options.source.suffix.lower() in (".jsonl", ".ndjson")
    if suffix not in ((".html",) if of_manifest else (".html", ".png")):
        raise InputError(f"--out must end in .html{'' if of_manifest else ' or .png'}, not '{options.out}'.")
    if options.examples < 0:
        raise InputError(f"--examples must not be negative; got {options.examples}.")
    written = _manifest_page(options, config) if of_manifest else _clip_page(options, config or RunConfig())
    write_whole(options.out, written)
    print(f"written: {options.out}")
    return 0


def _clip_page(options: Inspect, config: RunConfig) -> bytes:
    from mmvideo.inspection.opened import open_to_inspect, single_clip
    from mmvideo.inspection.page import render_inspection
    from mmvideo.inspection.picture import draw, png
    from mmvideo.inspection.views import view_examples

    manifest = single_clip(options.source, options.subtitles)
    learnt = _learnt(options.config)
    with tempfile.TemporaryDirectory() as scratch:
        inspected = open_to_inspect(manifest, config, options.store or Path(scratch), learnt)
        for reason in inspected.report.failed.values():
            raise InputError(reason)
        views = view_examples(inspected, 1)
    told = _told(options)
    if options.out.suffix.lower() == ".png":
        for finding in inspected.findings:
            print(finding, file=sys.stderr)
        return png(draw(views[0]))
    notes = [*told, *inspected.findings]
    if inspected.trains_tokenizer and learnt is None:
        notes.append(
            "The word pieces are those of a tokenizer trained on this clip alone; a run's is trained on its "
            "training split."
        )
    page = render_inspection(options.source.name, views, None, settings=_settings(config), notes=notes)
    return page.encode()


def _manifest_page(options: Inspect, config: RunConfig | None) -> bytes:
    from mmvideo.inspection.opened import inputs_of, open_to_inspect
    from mmvideo.inspection.overview import survey_manifest
    from mmvideo.inspection.page import render_inspection
    from mmvideo.inspection.views import view_examples

    manifest = read_manifest(options.source)
    if config is None:
        data = DataConfig(task=task_of(manifest.clips[0].label))
        config = RunConfig(inputs=inputs_of(manifest), data=data)
    store = options.store or Path(config.data.store)
    inspected = open_to_inspect(manifest, config, store, _learnt(options.config))
    page = render_inspection(
        str(options.source),
        view_examples(inspected, options.examples),
        survey_manifest(inspected),
        settings=_settings(config),
        notes=[*_told(options), *([] if manifest.split("val") else [DRAWN])],
    )
    return page.encode()


def _told(options: Inspect) -> list[str]:
    if options.config is not None:
        return []
    print(DEFAULTS, file=sys.stderr)
    return [DEFAULTS]


def _learnt(config: str | None) -> Path | None:
    """Where the run whose directory is given as the configuration has kept what it learnt of its clips."""
    from mmvideo.runs.directory import RunDirectory

    if config is None or not Path(config).is_dir():
        return None
    folder = RunDirectory(Path(config)).inputs
    return folder if folder.is_dir() else None


def _settings(config: RunConfig) -> dict[str, str]:
    """What of the configuration decides what is seen: of the windows, and of each modality."""
    shown = {f"data.{name}": str(getattr(config.data, name)) for name in ("frame_rate", "max_seconds")}
    for name, given in config.active.items():
        shown[f"inputs.{name}"] = _listed(given.kind, given.options)
        shown[f"inputs.{name}.encoder"] = _listed(given.encoder.name, given.encoder.options)
    return shown


def _listed(name: str, options: Part) -> str:
    return " · ".join([name, *(f"{key} {value}" for key, value in options.model_dump(mode="json").items())])
