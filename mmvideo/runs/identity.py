"""What decides a run's numbers: its configuration, its data, and the content of all that these name.

Weights files, the source of a user's own components and the encoders of earlier runs count by what is in
them. So a changed one makes another run, and a moved one does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmvideo.clips.manifest import Manifest
from mmvideo.component_code import component_sources
from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.files import Damaged, digest_of, read_record, sha256
from mmvideo.records import (
    CHECKPOINT,
    INPUTS,
    RESULT,
    VERSION,
    RunResult,
    bound_files,
    run_name,
    run_remedy,
)
from mmvideo.runs.own_code import content_digest, source_digest
from mmvideo.schema import files_named

SIGNATURE = 10
"""Hex digits of a signature."""


def signature(config: RunConfig, data_fingerprint: str) -> str:
    """Ten hex digits that name what decides the run's numbers.

    Raises:
        InputError: an own component that cannot be imported, or an earlier run that is not finished.
    """
    flat = flatten(config.deciding())
    return _signature(flat | contents(config, flat), data_fingerprint)


def _signature(decided_by: Mapping[str, Any], data_fingerprint: str) -> str:
    return digest_of([VERSION, decided_by, data_fingerprint])[:SIGNATURE]


def bind(
    folder: Path, config: RunConfig, manifest: Manifest, data_fingerprint: str, numbers: Mapping[str, Any]
) -> RunResult:
    """A run's result: its numbers, together with all that they were made with.

    Args:
        folder: the run's, with all other files written.
        numbers: the fields of RunResult that are measured or counted.

    Raises:
        InputError: what the configuration names was changed while the run trained.
    """
    deciding = config.deciding()
    flat = flatten(deciding)
    found = contents(config, flat)
    now = run_name(config.arm, config.seed, _signature(flat | found, data_fingerprint))
    if now != folder.name:
        raise InputError(
            f"{folder}: the source of an own component, a weights file or an earlier run that the "
            f"configuration names was changed while this run trained (it would be {now} now), so its numbers "
            "belong to neither. Delete the folder and run it again."
        )
    identity = {
        "study": config.study,
        "arm": config.arm,
        "seed": config.seed,
        "signature": folder.name.rpartition("-")[2],
        "task": config.data.task,
        "modalities": config.modalities,
        "classes": manifest.classes,
        "deciding": deciding,
        "contents": found,
        "sources": component_sources(deciding),
        "data_fingerprint": data_fingerprint,
        "manifest": manifest_digest(manifest),
        "digests": file_digests(folder),
    }
    return RunResult.model_validate({**identity, **numbers}, strict=False)


def check_data(result: RunResult, manifest: Manifest, path: str, data_fingerprint: str) -> None:
    """Whether the data that a finished run names are still those it was made with.

    Raises:
        Damaged: its manifest has other clips, labels, groups or splits, or their files hold something else.
    """
    changed = "the clips, labels, groups or splits it lists"
    if manifest_digest(manifest) == result.manifest:
        if data_fingerprint == result.data_fingerprint:
            return
        changed = "the content of its files, or how they decode,"
    raise Damaged(
        f"{path} is not what the run {result.folder} was made with: {changed} changed since. Put it back, or "
        "name a manifest with --manifest to evaluate the run on it as it is now."
    )


def check_named_files(result: RunResult, config: RunConfig) -> None:
    """Whether the weights and other files that a finished run's options name are still those it was made
    with: what a frozen model makes of clips is computed from them, not from the checkpoint.

    Raises:
        Damaged: one holds something else.
    """
    for key, digest in _files(config, flatten(config.deciding())).items():
        if result.contents.get(key, digest) != digest:
            path = dict(files_named(config))[key]
            raise Damaged(
                f"{key}: {path} is not what the run {result.folder} was made with: its content was changed "
                "since. Put it back, or train the run anew."
            )


def contents(config: RunConfig, deciding: Mapping[str, Any]) -> dict[str, str]:
    """For configuration keys that name something outside it: what stands for the content found there.

    These are files and folders of weights, any file that an option names, and a user's own components.

    Args:
        deciding: the configuration's deciding part, flat.
    """
    found = dict[str, str]()
    if config.encoders_from:
        found["encoders_from"] = " ".join(_encoders_of(Path(path)) for path in config.encoders_from)
    found |= _files(config, deciding)
    for key, value in deciding.items():
        if key.rpartition(".")[2] in ("name", "kind") and ":" in str(value):
            found[key] = f"{value} {source_digest(value)}"
    return found


def _files(config: RunConfig, deciding: Mapping[str, Any]) -> dict[str, str]:
    found = dict[str, str]()
    for key, path in files_named(config):
        if key in deciding and key != "encoders_from":
            found[key] = f"{found[key]} {content_digest(path)}" if key in found else content_digest(path)
    return found


def _encoders_of(path: Path) -> str:
    """What stands for the encoders of an earlier run: its checkpoint, and what its modalities learnt."""
    digests = finished_run(path)[1].digests
    return "+".join(
        digests[name] for name in sorted(digests) if name == CHECKPOINT or name.startswith(INPUTS)
    )


def finished_run(path: Path) -> tuple[Path, RunResult]:
    """The folder of a finished run that `encoders_from` names, and its result.

    Args:
        path: the folder, or `<root>/<study>/<arm>-s<seed>` where only one finished run is called so.

    Raises:
        InputError: there is none, or there are several.
    """
    folder = path
    if not (path / RESULT).is_file():
        pattern = f"{path.name}-{'[0-9a-f]' * SIGNATURE}/{RESULT}"
        found = sorted(file.parent for file in path.parent.glob(pattern)) if path.name else []
        if len(found) != 1:
            many = f"; there are {', '.join(folder.name for folder in found)}" if found else ""
            raise InputError(
                f"encoders_from: {path} is not the folder of a finished run; train it first{many}"
            )
        folder = found[0]
    return folder, read_record(folder / RESULT, RunResult, run_remedy(folder))


def manifest_digest(manifest: Manifest) -> str:
    """SHA-256 of the clips' ids, labels, groups and splits, in whatever order they are listed."""
    return digest_of(sorted([clip.id, clip.label, clip.group, clip.split] for clip in manifest.clips))


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each of a run's files that its result binds."""
    return {name: sha256(folder / name) for name in bound_files(folder) if (folder / name).is_file()}
