"""What the model will see of a clip, and what a manifest holds, as plain arrays and counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmvideo.clips.audit import audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.dataset import ClipDataset, text_words
from mmvideo.data.tokenizer import WordPieces
from mmvideo.errors import InputError
from mmvideo.store.decode import DecodeError, has_subtitles
from mmvideo.store.media import Samples
from mmvideo.store.store import BuildReport, Store, StoreSettings
from mmvideo.store.subtitles import CONTAINERS, FORMATS
from mmvideo.vocabulary import MODALITIES, SPLITS, Modality, Split, TaskKind

SOUNDS = frozenset({".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus"})


@dataclass(frozen=True, eq=False)
class ClipView:
    """One clip as the model gets it in evaluation. Times are seconds from the window's start."""

    id: str
    label: str
    split: str
    seconds: float
    """How long the whole clip's picture and sound last."""
    window: float
    """Longest part of it that the model gets."""
    frames: NDArray[np.uint8]  # (N, H, W, 3) RGB
    frame_times: NDArray[np.float32]  # (N,)
    samples: Samples  # (S,) mono
    sample_rate: int
    hop: int
    pieces: tuple[tuple[str, float], ...]
    """Word pieces and the centre of the word that each belongs to."""
    warnings: tuple[str, ...] = ()

    @property
    def absent(self) -> tuple[Modality, ...]:
        lengths = (len(self.frames), len(self.samples), len(self.pieces))
        return tuple(m for m, length in zip(MODALITIES, lengths, strict=True) if not length)


@dataclass(frozen=True)
class Overview:
    """A manifest in numbers."""

    clips: Mapping[Split, int]
    groups: Mapping[Split, int]
    classes: Mapping[str, Mapping[Split, int]]
    """Clips per class and split; empty where labels are numbers."""
    presence: Mapping[str, Mapping[Split, int]]
    """Clips per pattern of present modalities (`visual+audio`) and split."""
    presence_by_class: Mapping[str, Mapping[str, int]]
    """Class → modality → training clips that have it."""
    durations: Mapping[Split, tuple[float, float, float, float]]
    """Least, median, 95th percentile and most, in seconds, of the clips with picture or sound."""
    total_seconds: float
    failed: Mapping[str, str]
    warnings: Mapping[str, tuple[str, ...]]
    findings: tuple[str, ...] = field(default=())
    """What the audit found wrong; empty: the splits hold."""


@dataclass(frozen=True)
class DecodedManifest:
    """A manifest whose clips are in a store, as far as they can be decoded."""

    manifest: Manifest
    store: Store
    report: BuildReport
    hashes: ContentHashes


def decode(manifest: Manifest, data: DataConfig, root: Path) -> DecodedManifest:
    """Decode every clip into the store, whatever fails: looking is for finding that out."""
    root.mkdir(parents=True, exist_ok=True)
    hashes = ContentHashes(root / "hashes.json")
    store = Store(root, StoreSettings.from_config(data))
    report = store.build(
        manifest,
        workers=os.cpu_count() or 1,
        time_limit=data.decode_time_limit,
        max_failed_share=1.0,
        hashes=hashes,
        progress=len(manifest.clips) > 1,
    )
    return DecodedManifest(manifest, store, report, hashes)


def view_examples(decoded: DecodedManifest, config: RunConfig, count: int) -> list[ClipView]:
    """Some of the clips, as the configuration's model gets them in evaluation."""
    keys = decoded.report.keys
    clips = _examples(decoded.manifest, keys, count)
    tokenizer = _tokenizer(decoded, config)
    modalities = tuple(m for m in config.modalities if m != "text" or tokenizer is not None)
    dataset = ClipDataset(
        clips,
        store=decoded.store,
        keys=keys,
        classes=decoded.manifest.classes,
        modalities=modalities,
        config=config.data,
        tokenizer=tokenizer,
        training=False,
    )
    warnings = decoded.report.warnings
    return [view_clip(dataset, index, warnings.get(clip.id, ())) for index, clip in enumerate(clips)]


def _tokenizer(decoded: DecodedManifest, config: RunConfig) -> WordPieces | None:
    """The pretrained model's, or one trained on the training clips (on all, if there are none)."""
    if config.text.model is not None:
        return WordPieces.pretrained(config.text.model)
    clips = decoded.manifest.split("train") or decoded.manifest.clips
    keys = decoded.report.keys
    spoken = ((clip, decoded.store.read(keys[clip.id]).words) for clip in clips if clip.id in keys)
    texts = (text_words(clip, words, config.data, 0.0, float("inf")) for clip, words in spoken)
    given = [text for text in texts if text]
    return WordPieces.train(given, config.data.vocabulary_size) if given else None


def _examples(manifest: Manifest, readable: Mapping[str, str], count: int) -> list[Clip]:
    """Up to `count` readable clips: of each class one in turn, from the training split first."""
    order = sorted(
        (clip for clip in manifest.clips if clip.id in readable), key=lambda clip: SPLITS.index(clip.split)
    )
    turns: Counter[str] = Counter()
    ranked = []
    for place, clip in enumerate(order):
        label = str(clip.label)
        ranked.append((turns[label], place))
        turns[label] += 1
    return [order[place] for _, place in sorted(ranked)[:count]]


def view_clip(dataset: ClipDataset, index: int, warnings: tuple[str, ...] = ()) -> ClipView:
    """What the dataset gives the model of its clip `index`."""
    clip, config = dataset.clips[index], dataset.config
    sample = dataset[index]
    empty_frames, none = np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, np.float32)
    frames, frame_times, samples = empty_frames, none, none
    pieces: tuple[tuple[str, float], ...] = ()
    if "visual" in sample.inputs:
        values, times = sample.inputs["visual"]
        frames, frame_times = values.permute(0, 2, 3, 1).numpy(), times.numpy()
    if "audio" in sample.inputs:
        samples = sample.inputs["audio"][0].flatten().numpy()
    if "text" in sample.inputs and dataset.tokenizer is not None:
        ids, times = sample.inputs["text"]
        name = dataset.tokenizer.tokenizer.id_to_token
        pieces = tuple((str(name(int(i))), float(t)) for i, t in zip(ids, times, strict=True))
    stored = dataset.store.read(dataset.keys[clip.id])
    lengths = {"frames": len(stored.frames), "samples": len(stored.samples)}
    return ClipView(
        id=clip.id,
        label=", ".join(classes_of(clip.label)) or str(clip.label),
        split=clip.split,
        seconds=_seconds(lengths, config.frame_rate, config.sample_rate),
        window=config.max_seconds,
        frames=frames,
        frame_times=frame_times,
        samples=samples,
        sample_rate=config.sample_rate,
        hop=config.hop,
        pieces=pieces,
        warnings=warnings,
    )


def survey_manifest(
    decoded: DecodedManifest, present: Mapping[str, tuple[Modality, ...]], task: TaskKind
) -> Overview:
    """Count what a manifest holds; a failed audit is a finding, not an error.

    Args:
        present: which modalities each readable clip has.
    """
    manifest, store, report = decoded.manifest, decoded.store, decoded.report
    findings: tuple[str, ...] = ()
    try:
        audit(manifest, hashes=decoded.hashes, task=task)
    except InputError as error:
        findings = tuple(str(error).splitlines())
    per_class: dict[str, dict[Split, int]] = {label: dict.fromkeys(SPLITS, 0) for label in manifest.classes}
    having: dict[str, Counter[str]] = {label: Counter() for label in manifest.classes}
    patterns: dict[str, dict[Split, int]] = {}
    seconds: dict[Split, list[float]] = {split: [] for split in SPLITS}
    settings = store.settings
    for clip in manifest.clips:
        for label in classes_of(clip.label):
            per_class[label][clip.split] += 1
            if clip.split == "train":
                having[label].update(present.get(clip.id, ()))
        pattern = "+".join(present[clip.id]) or "nothing" if clip.id in present else "failed to decode"
        patterns.setdefault(pattern, dict.fromkeys(SPLITS, 0))[clip.split] += 1
        if clip.id in report.keys:
            lengths = store.lengths(report.keys[clip.id])
            length = _seconds(lengths, settings.frame_rate, settings.sample_rate)
            seconds[clip.split] += [length] if length else []
    return Overview(
        clips={split: len(manifest.split(split)) for split in SPLITS},
        groups={split: len({clip.group for clip in manifest.split(split)}) for split in SPLITS},
        classes=per_class,
        presence=dict(sorted(patterns.items(), key=lambda item: -sum(item[1].values()))),
        presence_by_class=having,
        durations={split: _spread(values) for split, values in seconds.items() if values},
        total_seconds=sum(map(sum, seconds.values())),
        failed=report.failed,
        warnings=report.warnings,
        findings=findings,
    )


def single_clip(path: Path, subtitles: Path | None) -> Manifest:
    """A manifest of one file, with the subtitles given, those beside it, or its own subtitle track.

    Raises:
        InputError: there is no such file, or it is no media file.
    """
    if not path.is_file():
        raise InputError(f"There is no clip or manifest '{path}'.")
    beside = [path.with_suffix(suffix) for suffix in FORMATS]
    found = subtitles or next((file for file in beside if file.is_file() and file != path), None)
    try:
        inside = found is None and path.suffix.lower() in CONTAINERS and has_subtitles(path)
    except DecodeError as error:
        raise InputError(f"{error}. Give a video or sound file, or a manifest.jsonl.") from error
    words = path if inside else found
    media = str(path.absolute())
    only_sound = path.suffix.lower() in SOUNDS
    clip = Clip(
        id=path.name,
        label="not labelled",
        group=path.name,
        split="test",
        video=None if only_sound else media,
        audio=media if only_sound else None,
        subtitles=None if words is None else str(words.absolute()),
    )
    return Manifest((clip,), path.absolute().parent)


def _seconds(lengths: Mapping[str, int], frame_rate: float, sample_rate: int) -> float:
    return max(lengths["frames"] / frame_rate, lengths["samples"] / sample_rate)


def _spread(values: list[float]) -> tuple[float, float, float, float]:
    least, middle, late, most = np.quantile(values, [0, 0.5, 0.95, 1]).tolist()
    return least, middle, late, most
