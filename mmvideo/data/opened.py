"""A manifest opened once a process: read, audited, and decoded into the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from mmvideo.clips.audit import AuditReport, audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Manifest, read_manifest
from mmvideo.clips.validation import tied_groups, with_train_share, with_validation
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.errors import InputError
from mmvideo.modalities.base import ClipSource, Modality
from mmvideo.store.store import Store, StoreSettings, fingerprint
from mmvideo.terminal import visible


@dataclass
class Opened(ClipSource):
    """A data set as far as all runs on it share it."""

    audit: AuditReport = field(kw_only=True)
    failed: Mapping[str, str] = field(kw_only=True)
    """Clips that could not be decoded, with the reason. They take part in nothing; records count them."""
    warnings: Mapping[str, tuple[str, ...]] = field(kw_only=True)
    """What of a clip could not be read, had to be guessed or filled in."""
    blank: Mapping[str, tuple[str, ...]] = field(kw_only=True, default_factory=dict)
    """Which of visual and audio are there in a clip and hold nothing; clips without any are left out."""
    fingerprint: str = field(kw_only=True)
    """Names the content of the data, wherever it lies."""
    listed: Manifest = field(kw_only=True)
    """The manifest as the file has it; `manifest` has a run's own validation split and share of train."""

    def without_test(self) -> Opened:
        """The same without its test clips, of which then neither label nor content can be asked for."""

        def made() -> Opened:
            kept = tuple(clip for clip in self.manifest.clips if clip.split != "test")
            ids = {clip.id for clip in kept}
            manifest = replace(self.manifest, clips=kept)
            keys = {id: key for id, key in self.keys.items() if id in ids}
            return replace(self, manifest=manifest, listed=manifest, keys=keys, kept={})

        return self.keep("without test", None, made)


def store_settings(config: RunConfig) -> StoreSettings:
    """How the store keeps what the inputs of a configuration read, whichever of them are active: so that all
    arms of a study share one copy."""
    wanted: dict[str, object] = {}
    for given in config.inputs.values():
        wanted |= given.component.store_settings(given.options, given.needs)
    return StoreSettings(float(config.data.frame_rate), **wanted)  # type: ignore[arg-type]


def make_modality(name: str, given: Input, frame_rate: float) -> Modality:
    """The modality of a run, not opened yet."""
    made: Modality = given.component(given.options, name, given.needs, frame_rate)
    return made


def open_data(config: RunConfig, *, progress: bool = False) -> Opened:
    """Read, audit and decode what a configuration points at; what is stored already is not decoded again.

    What was opened last is kept for the next run of this process.

    Raises:
        InputError: anything wrong with the manifest, its files or its splits, or too many undecodable clips.
    """
    settings = store_settings(config)
    whole = config.data.model_copy(update={"train_share": 1.0})
    opened = _opened(whole, settings, progress)
    if opened.listed.split("val") and config.data.train_share == 1:
        return opened
    return _drawn(whole, settings, progress, config.seed, config.data.train_share)


@lru_cache(maxsize=4)
def _drawn(
    config: DataConfig, settings: StoreSettings, progress: bool, seed: int, train_share: float
) -> Opened:
    """The data set with the validation split and the training clips that runs of this seed draw, and nothing
    kept of another's."""
    opened = _opened(config, settings, progress)
    manifest, tied = opened.listed, tied_groups(opened.audit.contents)
    if not manifest.split("val"):
        manifest = with_validation(manifest, config.validation_share, seed, tied)
    if train_share < 1:
        manifest = with_train_share(manifest, train_share, seed, tied)
    return replace(opened, manifest=manifest, kept={})


@lru_cache(maxsize=4)
def _opened(config: DataConfig, settings: StoreSettings, progress: bool) -> Opened:
    manifest = read_manifest(config.manifest)
    root = Path(config.store)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot write to the store '{root}' ({error.strerror}); choose another with --data.store"
        ) from error
    hashes = ContentHashes(root / "hashes.json")
    checked = audit(manifest, hashes=hashes, task=config.task)
    store = Store(root, settings)
    report = store.build(
        manifest,
        workers=os.cpu_count() or 1,
        time_limit=config.decode_time_limit,
        max_failed_share=config.max_failed_share,
        hashes=hashes,
        progress=progress,
    )
    if progress and (report.failed or report.warnings):
        print(visible(report.summary()), file=sys.stderr)
    return Opened(
        manifest,
        store,
        report.keys,
        report.present,
        audit=checked,
        failed=report.failed,
        warnings=report.warnings,
        blank=report.blank,
        fingerprint=fingerprint(manifest, report, checked.contents.features),
        listed=manifest,
    )
