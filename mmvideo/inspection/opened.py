"""A manifest opened to be looked at: what a configuration reads of it, and what goes wrong in doing so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmvideo.clips import extensions
from mmvideo.clips.beside import subtitles_beside
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import MEDIA_FIELDS, Clip, Manifest
from mmvideo.config import Input, RunConfig
from mmvideo.data.opened import make_modality, store_settings
from mmvideo.errors import InputError
from mmvideo.modalities.base import ClipSource, Modality
from mmvideo.modalities.feature_survey import read_features
from mmvideo.modalities.features import PrecomputedFeatures
from mmvideo.modalities.text import Text
from mmvideo.store.build_report import BuildReport
from mmvideo.store.decode import DecodeError, has_subtitles
from mmvideo.store.store import Store
from mmvideo.vocabulary import in_order

FILES = {"visual": {"video"}, "audio": {"video", "audio"}, "text": {"subtitles"}}
"""Where in the manifest each of video's own modalities may stand."""


@dataclass(frozen=True)
class Inspected:
    """The clips that can be decoded, and the modalities that can be read of them."""

    config: RunConfig
    source: ClipSource
    report: BuildReport
    hashes: ContentHashes
    modalities: Mapping[str, Modality]
    """Of those that the model is given, the ones that some clip has; opened."""
    present: Mapping[str, frozenset[str]]
    """By input, active or not, in order: ids of the clips that have it."""
    unreadable: Mapping[str, frozenset[str]]
    """By modality, ids of the clips that ought to have it, and of which it cannot be read."""
    findings: tuple[str, ...]
    """What a run would refuse, beside what the audit finds."""

    @property
    def blank(self) -> dict[str, frozenset[str]]:
        """By input, ids of the clips in which it is there and holds nothing."""
        found = self.report.blank.items()
        kinds = {name: given.kind for name, given in self.config.inputs.items()}
        return {
            name: ids & {id for id, blank in found if kinds[name] in blank}
            for name, ids in self.present.items()
        }

    @property
    def trains_tokenizer(self) -> bool:
        """Whether word pieces are those of a tokenizer that was trained on these very clips."""
        return any(isinstance(m, Text) and m.needs.model is None for m in self.modalities.values())


def open_to_inspect(
    manifest: Manifest, config: RunConfig, root: Path, learnt: Path | None = None
) -> Inspected:
    """Decode every clip into the store and open every modality, whatever fails: looking finds that out.

    Args:
        config: its modalities and their options decide; its own manifest and store do not.
        root: the store.
        learnt: the folder in which a run has kept what its modalities learnt; None: it is learnt here.
    """
    root.mkdir(parents=True, exist_ok=True)
    hashes = ContentHashes(root / "hashes.json")
    store = Store(root, store_settings(config))
    report = store.build(
        manifest,
        workers=os.cpu_count() or 1,
        time_limit=config.data.decode_time_limit,
        max_failed_share=1.0,
        hashes=hashes,
        progress=len(manifest.clips) > 1,
    )
    source = ClipSource(manifest, store, report.keys, report.present)
    opened: dict[str, Modality] = {}
    present: dict[str, frozenset[str]] = {}
    unreadable: dict[str, frozenset[str]] = {}
    findings: list[str] = []
    for name in in_order(config.inputs):
        modality = make_modality(name, config.inputs[name], config.data.frame_rate)
        present[name] = frozenset()
        try:
            present[name] = modality.where(source)
            if not present[name] or name not in config.modalities:
                continue
            modality.open(_with_training_clips(source), learnt)
            readable = True
        except InputError as error:
            findings += str(error).splitlines()
            readable = _open_what_can_be_read(modality, source)
            unreadable[name] = present[name] - (modality.present if readable else frozenset())
        if readable:
            opened[name], present[name] = modality, modality.present
    return Inspected(config, source, report, hashes, opened, present, unreadable, tuple(findings))


def _with_training_clips(source: ClipSource) -> ClipSource:
    """The same clips, all for training where none is: what is learnt of them has to come from some."""
    if any(clip.split == "train" for clip in source.clips):
        return source
    return _all_for_training(source, source.keys)


def _all_for_training(source: ClipSource, keys: Mapping[str, str]) -> ClipSource:
    clips = tuple(clip.model_copy(update={"split": "train"}) for clip in source.manifest.clips)
    return ClipSource(Manifest(clips, source.manifest.root), source.store, keys, source.stored)


def _open_what_can_be_read(modality: Modality, source: ClipSource) -> bool:
    """Open features without the clips whose files are at fault. Whether any are left.

    What a run learns of the training split is then that of all clips that can be read.
    """
    if not isinstance(modality, PrecomputedFeatures):
        return False
    widths: dict[str, int] = {}
    for clip in source.clips:
        try:
            values, _ = read_features(source.manifest, clip, modality.name, modality.config)
        except InputError:
            continue  # it is among the findings already
        widths[clip.id] = values.shape[1] if len(values) else 0
    usual = Counter(width for width in widths.values() if width).most_common(1)
    if not usual:
        return False
    kept = {id: key for id, key in source.keys.items() if widths.get(id) in (0, usual[0][0])}
    modality.open(_all_for_training(source, kept))
    return True


def inputs_of(manifest: Manifest) -> dict[str, Input]:
    """What a manifest itself says of its modalities, for who gives no configuration.

    Video's own three where clips have media, and features by name; features of a modality that no clip has a
    file of stand in its place.
    """
    media = {field for clip in manifest.clips for field in MEDIA_FIELDS if getattr(clip, field)}
    named = in_order(name for clip in manifest.clips for name in clip.features)
    features = {name: Input.of("features") for name in named if not media & FILES.get(name, set())}
    if features and not media:
        return features
    return {name: Input.of(name) for name in FILES} | features


def _no_file(path: Path) -> str:
    """What is told of a path at which no file is."""
    if not path.is_dir():
        return f"There is no clip or manifest '{path}'."
    manifest = path / "manifest.jsonl"
    instead = f"name its manifest: {manifest}" if manifest.is_file() else "name a clip or a manifest in it"
    return f"'{path}' is a folder; {instead}."


def single_clip(path: Path, subtitles: Path | None) -> Manifest:
    """A manifest of one file, with the subtitles given, those beside it, or its own subtitle track.

    Raises:
        InputError: there is no such file, or it is no media file.
    """
    if not path.is_file():
        raise InputError(_no_file(path))
    beside = None if subtitles else subtitles_beside(path)
    found = Path(beside) if beside else subtitles
    try:
        inside = found is None and path.suffix.lower() in extensions.WITH_SUBTITLES and has_subtitles(path)
    except DecodeError as error:
        raise InputError(f"{error}. Give a video or sound file, or a manifest.jsonl.") from error
    words = path if inside else found
    media = str(path.absolute())
    only_sound = path.suffix.lower() in extensions.AUDIO
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
