"""From a recipe's listing to the manifest, and the command line that every recipe shares."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import tyro
from pydantic import ValidationError

from mmvideo.clips.audit import audit
from mmvideo.clips.contents import Contents
from mmvideo.clips.feature_files import join_reference, split_reference
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import task_of
from mmvideo.clips.manifest import (
    MEDIA_FIELDS,
    Clip,
    Manifest,
    explain_row,
    read_manifest,
    shown,
    write_manifest,
)
from mmvideo.clips.names import noticing
from mmvideo.clips.validation import carve_validation
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.progress import tracked
from mmvideo.recipes.base import CarvedOptions, Listing, Options, Recipe
from mmvideo.recipes.check import Outcome
from mmvideo.recipes.discovery import on_disk
from mmvideo.store.decode import Look, look_at
from mmvideo.terminal import show_any_text, visible
from mmvideo.vocabulary import MODALITIES, TaskKind, agreed
from mmvideo.workers import NoAnswer, run_all

OPEN_LIMIT = 60.0
"""Seconds that reading a file's packets may take."""
SAVE_EVERY = 2000
"""Files hashed between two writes of what is known."""
MANIFEST, REPORT, MISSING, DROPPED = "manifest.jsonl", "report.txt", "missing.txt", "dropped.txt"
COPIES = f"clips hold a file that a clip of another split holds (named in {DROPPED})"


def prepare(recipe: Recipe[Options], options: Options, show_progress: bool = False) -> Outcome:
    """Write the manifest of what is listed and on disk, the report, and the list of what is missing.

    With `options.check` the published counts, the missing files and the audit decide `Outcome.problems`.

    Args:
        show_progress: say on standard error how far the hashing of all files is.

    Raises:
        InputError: the download has no lists or none of the clips, an id stands twice, or no validation
            split can be carved.
    """
    source = options.source.expanduser().absolute()
    if not source.exists():
        raise InputError(f"There is no {source}. --source is where the download of {recipe.title} lies.")
    out = options.folder(recipe.name).expanduser().absolute()
    options = dataclasses.replace(options, source=source, out=out)
    with noticing() as noticed:
        listing = _listed(recipe, options)
    _refuse_repeated_ids(recipe, listing)
    aside = {name for names in listing.set_aside.values() for name in names}
    wanted = [clip for clip in listing.clips if clip.id not in aside]
    present, missing = _on_disk(wanted, source, out)
    if not present:
        raise InputError(_nothing_there(recipe, listing, missing, source))
    share = options.validation_share if isinstance(options, CarvedOptions) else None
    carve = share is not None and not any(clip.split == "val" for clip in present)
    if isinstance(options, CarvedOptions) and share is not None and carve:
        present = carve_validation(present, share, options.seed)
    dropped: dict[str, str] = {}
    if options.dedupe == "keep-first":
        hashes = _hashed(Manifest(tuple(present), out), show_progress)
        dropped = Contents.of(Manifest(tuple(present), out), hashes).copies_in_other_splits()
        present = [clip for clip in present if clip.id not in dropped]
    manifest = Manifest(tuple(present), out)
    outcome = Outcome(
        title=recipe.title,
        manifest=out / MANIFEST,
        listed=tuple(listing.clips),
        clips=tuple(present),
        missing=missing,
        set_aside={
            reason: ids for reason, ids in {**listing.set_aside, COPIES: list(dropped)}.items() if ids
        },
        notes={
            **{what: names for what, names in listing.notes.items() if names},
            **{what: list(names) for what, names in noticed.items()},
        },
        unused={what: names for what, names in listing.unused.items() if names},
        known=recipe.known(options) if recipe.known else None,
        carved=carve,
        leaks=None,
        present=_present(manifest, {}),
    )
    write_manifest(out / MANIFEST, present)
    _write_lines(out / MISSING, [f"{name}\t{path}" for name, paths in missing.items() for path in paths])
    _write_lines(out / DROPPED, [f"{name}\t{kept}" for name, kept in dropped.items()])
    if options.check:
        leaks = _leaks(out, task_of(present[0].label), show_progress)
        looks = looked_at(manifest, show_progress)
        faulty = {str(path): looks[path].fault for path in sorted(looks) if looks[path].fault}
        having = _present(manifest, looks)
        outcome = dataclasses.replace(outcome, leaks=leaks, faulty=faulty, present=having)
    text = outcome.summary(checked=options.check)
    write_whole(out / REPORT, f"{text}\n{outcome.class_table()}".encode())
    return outcome


def main(recipe: Recipe[Options], arguments: Sequence[str] | None = None) -> None:
    """The recipe as a command: read the flags, prepare, print the report.

    Ends the process with exit code 1 where `--check` finds something wrong, 2 for a user's mistake.
    """
    show_any_text()
    try:
        options = tyro.cli(
            recipe.options,
            prog=f"mmvideo prepare {recipe.name}",
            description=recipe.description(),
            args=None if arguments is None else list(arguments),
        )
        outcome = prepare(recipe, options, show_progress=True)
    except InputError as error:
        print(f"mmvideo: error: {visible(str(error))}", file=sys.stderr)
        sys.exit(2)
    print(visible(outcome.summary(checked=options.check)), end="")
    if options.check and outcome.problems:
        sys.exit(1)


def _listed(recipe: Recipe[Options], options: Options) -> Listing:
    try:
        return recipe.listing(options)
    except ValidationError as error:  # a clip that cannot be one, as its id or a file's name is none
        raise InputError(
            f"{recipe.title}: {options.source} lists what cannot be a clip: {explain_row(error)}"
        ) from error


def _on_disk(clips: Sequence[Clip], source: Path, out: Path) -> tuple[list[Clip], dict[str, list[Path]]]:
    """Clips whose files all exist, with paths relative to `out`; for the others, the files that do not."""
    present: list[Clip] = []
    missing: dict[str, list[Path]] = {}
    find = cache(on_disk)  # one file of features holds thousands of clips
    base = os.path.realpath(out)  # "..", on disk, leads up from where a link points to
    for clip in clips:
        media = {field: source / value for field in MEDIA_FIELDS if (value := getattr(clip, field))}
        features = {modality: split_reference(value) for modality, value in clip.features.items()}
        paths = [*media.values(), *(source / path for path, _ in features.values())]
        found = {path: place for path in paths if (place := find(path))}
        absent = [path for path in paths if path not in found]
        if absent:
            missing[clip.id] = absent
            continue
        update: dict[str, Any] = {field: os.path.relpath(found[path], base) for field, path in media.items()}
        update["features"] = {
            modality: join_reference(os.path.relpath(found[source / path], base), steps)
            for modality, (path, steps) in features.items()
        }
        present.append(clip.model_copy(update=update))
    return present, missing


def _refuse_repeated_ids(recipe: Recipe[Options], listing: Listing) -> None:
    twice = [name for name, count in Counter(clip.id for clip in listing.clips).items() if count > 1]
    if twice:
        raise InputError(
            f"{recipe.title}: {agreed(len(twice), 'clips are listed more than once')}: {shown(twice)}. "
            "Remove the repeated rows; a clip belongs to one split, once."
        )


def _nothing_there(
    recipe: Recipe[Options], listing: Listing, missing: dict[str, list[Path]], source: Path
) -> str:
    if not listing.clips:
        unused = "".join(
            f" {agreed(len(names), what)}: {shown(names)}." for what, names in listing.unused.items() if names
        )
        return (
            f"{recipe.title}: no clips were found in {source}.{unused} See datasets/{recipe.name}/README.md."
        )
    examples = [str(path) for paths in missing.values() for path in paths]
    return (
        f"None of the {len(listing.clips):,} clips listed by {recipe.title} is under {source}. Looked for: "
        f"{shown(examples)}. datasets/{recipe.name}/README.md says how to unpack the download."
    )


def _leaks(out: Path, task: TaskKind, show_progress: bool) -> str:
    """What the audit says of the manifest just written; empty if the splits hold."""
    manifest = read_manifest(out / MANIFEST)
    try:
        audit(manifest, hashes=_hashed(manifest, show_progress), task=task)
    except InputError as error:
        return str(error)
    return ""


def looked_at(manifest: Manifest, show_progress: bool) -> dict[Path, Look]:
    """What the media are from outside; empty ones are told elsewhere.

    All are read to their end, but not decoded, in processes that may die of them.
    """
    paths = {manifest.path(clip, medium) for clip in manifest.clips for medium in ("video", "audio")}
    files = sorted(path for path in paths if path and path.stat().st_size)
    looked = run_all(
        look_at, files, workers=len(os.sched_getaffinity(0)), time_limit=OPEN_LIMIT, jobs_per_worker=500
    )
    return {
        path: Look(outcome.reason) if isinstance(outcome, NoAnswer) else outcome
        for path, outcome in tracked(looked, len(files), "opening", show_progress)
    }


def _present(manifest: Manifest, looks: Mapping[Path, Look]) -> dict[str, set[str]]:
    """By modality, ids of the clips that have it: as the manifest names it, but for what videos hold, where
    they were opened."""
    found: dict[str, set[str]] = defaultdict(set)
    for clip in manifest.clips:
        video = manifest.path(clip, "video")
        kinds = frozenset({"video"} if video else ())
        if video and video in looks:
            kinds = looks[video].kinds
        fields = ("video" in kinds, clip.audio is not None or "audio" in kinds, clip.subtitles is not None)
        named = [name for name, there in zip(MODALITIES, fields, strict=True) if there]
        for name in (*named, *clip.features):
            found[name].add(clip.id)
    return found if looks or not any(clip.video for clip in manifest.clips) else dict(found, audio=set())


def _hashed(manifest: Manifest, show_progress: bool) -> ContentHashes:
    """The digests of all media, which for a large data set take hours: an interruption must not lose them."""
    hashes = ContentHashes(manifest.root / "hashes.json")
    files = [
        path
        for clip in manifest.clips
        for medium in ("video", "audio")
        if (path := manifest.path(clip, medium))
    ]
    for number, path in enumerate(tracked(files, len(files), "hashing", show_progress), start=1):
        hashes.sha256(path)
        if number % SAVE_EVERY == 0:
            hashes.save()
    hashes.save()
    return hashes


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    """The lines as a file; no file, not even an old one, where there are none."""
    if lines:
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())
    else:
        path.unlink(missing_ok=True)
