"""A configuration's data, opened once a process: manifest read, audited, and decoded into the store."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmvideo.clips.audit import AuditReport, audit, feature_digests
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import target, task_of
from mmvideo.clips.manifest import Clip, Manifest, check_files, read_manifest
from mmvideo.clips.metadata import check_fields, metadata_text
from mmvideo.config import DataConfig, FeaturesConfig, RunConfig, VisualConfig
from mmvideo.data.dataset import ClipDataset, text_words
from mmvideo.data.features import FeatureSource, Survey, survey
from mmvideo.data.tokenizer import WordPieces
from mmvideo.encoders.build import feature_modalities
from mmvideo.errors import InputError
from mmvideo.evaluation.tasks import TASKS, prior_outputs
from mmvideo.runs.frozen import frozen_features
from mmvideo.store.encoded import FrameFeatures
from mmvideo.store.store import Store, StoreSettings, fingerprint
from mmvideo.store.subtitles import Word
from mmvideo.vocabulary import MODALITIES, Modality, Split, TaskKind, presence_pattern


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
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What of a clip's subtitles could not be read, or had to be guessed."""
    features: Mapping[Modality, Survey] = field(default_factory=dict)
    """The modalities that a run reads from precomputed features (see `for_run`)."""

    def for_run(self, config: RunConfig) -> Data:
        """The same data as a run sees them: `present` tells of features where an encoder reads those.

        Raises:
            InputError: features that cannot be used, or no training clip has any.
        """
        surveys = {m: self._survey(m, config.data.features) for m in feature_modalities(config)}
        present = {
            name: tuple(m for m in MODALITIES if (name in surveys[m].present if m in surveys else m in had))
            for name, had in self.present.items()
        }
        return replace(self, present=present, features=surveys)

    def _survey(self, modality: Modality, config: FeaturesConfig) -> Survey:
        key = (self.fingerprint, modality, config)
        if key not in _surveyed:
            clips = [clip for clip in self.manifest.clips if clip.id not in self.failed]
            _surveyed[key] = survey(self.manifest, clips, modality, config)
        return _surveyed[key]

    def clips(self, split: Split) -> tuple[Clip, ...]:
        """The split's clips that could be decoded."""
        return tuple(clip for clip in self.manifest.split(split) if clip.id not in self.failed)

    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that at least one training clip has."""
        seen = {m for clip in self.clips("train") for m in self.present[clip.id]}
        return tuple(m for m in MODALITIES if m in seen)

    @property
    def task(self) -> TaskKind:
        """What the labels are; the audit has held it against the configuration."""
        return task_of(self.manifest.clips[0].label)

    @property
    def outputs(self) -> int:
        """Outputs of a model of these data: one per class, or one number."""
        return TASKS[self.task].width(len(self.manifest.classes))

    def labels(self, clips: Sequence[Clip]) -> np.ndarray:
        """The clips' labels as a batch holds them: (n,) classes, (n, C) of 0 and 1, or (n,) numbers."""
        index = {name: place for place, name in enumerate(self.manifest.classes)}
        return np.array([target(clip.label, index) for clip in clips])

    def train_prior(self) -> list[float]:
        """The outputs for a clip of which nothing is known but the training split's labels."""
        return self._prior(self.clips("train"))

    def train_presence(self) -> dict[str, list[int]] | dict[str, list[float]]:
        """For each pattern of present modalities (`visual+audio`) of the training clips: how many there are
        of each class; or, where labels are no single classes, the outputs that know the pattern alone."""
        clips: dict[str, list[Clip]] = defaultdict(list)
        for clip in self.clips("train"):
            clips[self.pattern(clip)].append(clip)
        if self.task != "single_label":
            return {pattern: self._prior(clips[pattern]) for pattern in sorted(clips)}
        counts = {pattern: Counter(clip.label for clip in clips[pattern]) for pattern in sorted(clips)}
        return {pattern: [count[name] for name in self.manifest.classes] for pattern, count in counts.items()}

    def _prior(self, clips: Sequence[Clip]) -> list[float]:
        return prior_outputs(self.task, self.labels(clips), len(self.manifest.classes)).tolist()

    def pattern(self, clip: Clip) -> str:
        return presence_pattern(m for m in MODALITIES if m in self.present[clip.id])

    def dataset(
        self,
        split: Split,
        config: RunConfig,
        tokenizer: WordPieces | None,
        *,
        training: bool = False,
        views: bool = False,
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
            views=views,
            seed=config.seed,
            features={
                m: FeatureSource(self.manifest, m, config.data.features, found.input.width)
                for m, found in self.features.items()
            },
            frame_features=self._frozen_features(config),
        )

    def _frozen_features(self, config: RunConfig) -> FrameFeatures | None:
        if not config.visual.cached or "visual" not in config.modalities:
            return None
        key = (self.fingerprint, config.visual, config.data)
        if key not in _frozen:
            _frozen[key] = frozen_features(config, self.store, self.keys, progress=True)
        return _frozen[key]

    def make_tokenizer(self, config: RunConfig) -> WordPieces | None:
        """The pretrained model's tokenizer, or one trained on the training split; None if no text is read."""
        if "text" not in config.modalities or "text" in self.features:
            return None
        if config.text.model is not None:
            return WordPieces.pretrained(config.text.model)
        texts = (
            text_words(clip, self._spoken(clip), config.data, 0.0, float("inf"))
            for clip in self.clips("train")
        )
        return WordPieces.train(texts, config.data.vocabulary_size)

    def _spoken(self, clip: Clip) -> tuple[Word, ...]:
        with self.store.open(self.keys[clip.id]) as stored:
            return stored.clip.words


def open_data(config: DataConfig, *, progress: bool = False) -> Data:
    """Read, audit and decode what a configuration points at; what is stored already is not decoded again.

    Raises:
        InputError: anything wrong with the manifest, its files or its splits, or too many undecodable clips.
    """
    if config not in _opened:
        _opened[config] = _open(config, progress)
    return _opened[config]


_opened: dict[DataConfig, Data] = {}
_frozen: dict[tuple[str, VisualConfig, DataConfig], FrameFeatures] = {}
_surveyed: dict[tuple[str, Modality, FeaturesConfig], Survey] = {}


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
    checked = audit(manifest, hashes=hashes, task=config.task)
    store = Store(root, StoreSettings.from_config(config))
    report = store.build(
        manifest,
        workers=os.cpu_count() or 1,
        time_limit=config.decode_time_limit,
        max_failed_share=config.max_failed_share,
        hashes=hashes,
        progress=progress,
    )
    if progress and (report.failed or report.warnings):
        print(report.summary(), file=sys.stderr)
    present = with_metadata(manifest, report.present, config)
    identity = with_features(fingerprint(manifest, report), manifest, hashes)
    return Data(manifest, store, checked, report.keys, present, report.failed, identity, report.warnings)


def with_features(fingerprint: str, manifest: Manifest, hashes: ContentHashes) -> str:
    """The data's fingerprint, in which the content of precomputed features counts; without any, as it was."""
    rows = [
        [clip.id, modality, digest, steps, clip.features_rate.get(modality)]
        for clip, modality, digest, steps in feature_digests(manifest, hashes)
    ]
    hashes.save()
    return hashlib.sha256(json.dumps([fingerprint, rows]).encode()).hexdigest() if rows else fingerprint


def with_metadata(
    manifest: Manifest, present: Mapping[str, tuple[Modality, ...]], config: DataConfig
) -> dict[str, tuple[Modality, ...]]:
    """Which modalities each readable clip has when its metadata counts as text.

    Raises:
        InputError: the configuration asks for metadata that no clip has.
    """
    fields, template = config.metadata_fields, config.text_template
    check_fields([clip.metadata for clip in manifest.clips], fields, template)
    told = {clip.id for clip in manifest.clips if metadata_text(clip.metadata, fields, template)}
    return {
        name: tuple(m for m in MODALITIES if m in had or (m == "text" and name in told))
        for name, had in present.items()
    }
