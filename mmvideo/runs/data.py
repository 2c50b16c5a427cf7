"""A configuration's data, opened once a process: manifest read, audited, and decoded into the store."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.audit import AuditReport, audit
from mmvideo.data.dataset import ClipDataset, text_words
from mmvideo.data.hashing import ContentHashes
from mmvideo.data.manifest import Clip, Manifest, check_files, read_manifest
from mmvideo.data.store import Store, StoreSettings, fingerprint
from mmvideo.data.tokenizer import WordPieces
from mmvideo.words import MODALITIES, InputError, Modality, Split


@dataclass(frozen=True)
class Data:
    """What a run reads: the clips that could be decoded, where they are stored, and what each has."""

    manifest: Manifest
    store: Store
    audit: AuditReport
    keys: Mapping[str, str]
    present: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    """Clips that could not be decoded, with the reason. They take part in nothing; records count them."""
    fingerprint: str

    def clips(self, split: Split) -> tuple[Clip, ...]:
        """The split's clips that could be decoded."""
        return tuple(clip for clip in self.manifest.split(split) if clip.id not in self.failed)

    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that at least one training clip has."""
        seen = {m for clip in self.clips("train") for m in self.present[clip.id]}
        return tuple(m for m in MODALITIES if m in seen)

    def train_presence(self) -> dict[str, list[int]]:
        """Training clips per class, for each pattern of present modalities (`visual+audio`)."""
        counts = Counter((self.pattern(clip), clip.label) for clip in self.clips("train"))
        patterns = sorted({pattern for pattern, _ in counts})
        return {pattern: [counts[pattern, label] for label in self.manifest.classes] for pattern in patterns}

    def pattern(self, clip: Clip) -> str:
        return "+".join(m for m in MODALITIES if m in self.present[clip.id]) or "none"

    def dataset(
        self, split: Split, config: RunConfig, tokenizer: WordPieces | None, *, training: bool = False
    ) -> ClipDataset:
        return ClipDataset(
            self.clips(split),
            store=self.store,
            keys=self.keys,
            classes=self.manifest.classes,
            modalities=config.modalities,
            config=config.data,
            tokenizer=tokenizer,
            training=training,
            seed=config.seed,
        )

    def make_tokenizer(self, config: RunConfig) -> WordPieces | None:
        """The pretrained model's tokenizer, or one trained on the training split; None without text."""
        if "text" not in config.modalities:
            return None
        if config.text.model is not None:
            return WordPieces.pretrained(config.text.model)
        spoken = ((clip, self.store.read(self.keys[clip.id]).words) for clip in self.clips("train"))
        fields = config.data.metadata_fields
        texts = (text_words(clip, words, fields, 0.0, float("inf")) for clip, words in spoken)
        return WordPieces.train(texts, config.data.vocabulary_size)


def open_data(config: DataConfig, *, progress: bool = False) -> Data:
    """Read, audit and decode what a configuration points at; what is stored already is not decoded again.

    Raises:
        InputError: anything wrong with the manifest, its files or its splits, or too many undecodable clips.
    """
    if config not in _opened:
        _opened[config] = _open(config, progress)
    return _opened[config]


_opened: dict[DataConfig, Data] = {}


def _open(config: DataConfig, progress: bool) -> Data:
    manifest = read_manifest(config.manifest)
    check_files(manifest)
    root = Path(config.store)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot write to the store '{root}' ({error.strerror}); choose another with --data.store"
        ) from error
    hashes = ContentHashes(root / "hashes.json")
    checked = audit(manifest, hashes=hashes)
    store = Store(root, StoreSettings.from_config(config))
    report = store.build(
        manifest,
        workers=os.cpu_count() or 1,
        time_limit=config.decode_time_limit,
        max_failed_share=config.max_failed_share,
        hashes=hashes,
        progress=progress,
    )
    identity = fingerprint(manifest, report)
    return Data(manifest, store, checked, report.keys, report.present, report.failed, identity)
