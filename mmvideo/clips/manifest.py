"""The manifest: one clip a line, as JSON. It lists paths, spans, labels, groups and splits, and no media.

    {"id": "v_Archery_g01_c01", "label": "Archery", "group": "Archery_g01", "split": "test", "video": "a.avi"}

Paths are relative to the manifest's own folder (absolute ones are allowed). Blank lines are ignored.
The label is a class; or a list of classes, possibly empty (multi-label); or a number (regression).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mmvideo.clips.feature_files import split_reference
from mmvideo.clips.labels import Label, classes_of, task_of
from mmvideo.clips.names import Name, Place, noticing
from mmvideo.errors import InputError
from mmvideo.files import write_whole
from mmvideo.schema import ModalityName, Part, PositiveFloat
from mmvideo.vocabulary import Split, agreed, counted

MediaField = Literal["video", "audio", "subtitles"]
MEDIA_FIELDS: tuple[MediaField, ...] = ("video", "audio", "subtitles")
SHOWN = 5
"""How many culprits a message names before it counts the rest."""
LONGEST = 500
"""Characters of one culprit that a message shows."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Clip(Part):
    """One example: a time span of one video with a label."""

    id: Name
    label: Label
    """A class; several or no classes (multi-label); or a number (regression)."""
    group: Name
    """What must not be in two splits: source video, actor, dialogue."""
    split: Split
    video: Place | None = None
    audio: Place | None = None
    """A separate audio file. None: the video's own track."""
    subtitles: Place | None = None
    start: Seconds | None = None
    """Where the clip starts within its files. None: at their start."""
    end: Seconds | None = None
    """Where the clip ends within its files. None: at their end."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Free text by name (title, tags …), read as text where a configuration asks for it."""
    features: dict[ModalityName, Place] = Field(default_factory=dict)
    """Precomputed features by modality: a file and, after `#`, the part of it that is this clip's (see
    mmvideo.clips.feature_files). Read by the encoders called `features`."""
    features_rate: dict[ModalityName, PositiveFloat] = Field(default_factory=dict)
    """Feature vectors per second. A modality not named here: they are spread evenly over the clip."""

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not (self.video or self.audio or self.subtitles or self.metadata or self.features):
            raise ValueError("a clip needs at least one of video, audio, subtitles, metadata, features")
        if self.features_rate.keys() - self.features.keys():
            raise ValueError("features_rate names a modality that features does not")
        if self.end is not None and self.end <= (self.start or 0.0):
            raise ValueError(f"end {self.end} must be later than start {self.start or 0.0}")
        return self


@dataclass(frozen=True)
class Manifest:
    """The clips in file order, and the folder their paths are relative to."""

    clips: tuple[Clip, ...]
    root: Path

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Unique labels in natural order: "9" before "10". None where labels are numbers."""
        names = {name for clip in self.clips for name in classes_of(clip.label)}
        return tuple(sorted(names, key=natural_key))

    def split(self, name: Split) -> tuple[Clip, ...]:
        """The clips of one split, in file order."""
        return tuple(clip for clip in self.clips if clip.split == name)

    def path(self, clip: Clip, field: MediaField) -> Path | None:
        """Where the clip's file of this kind lies; None if it has none."""
        value = getattr(clip, field)
        return None if value is None else self.root / value

    def feature(self, clip: Clip, modality: str) -> tuple[Path, str] | None:
        """The file of the clip's precomputed features and the steps within it; None if it has none."""
        reference = clip.features.get(modality)
        if reference is None:
            return None
        path, steps = split_reference(reference)
        return self.root / path, steps


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that orders digit runs as numbers; the text itself breaks ties ("01" and "1")."""
    parts = [part for part in re.split(r"(\d+)", text) if part]
    keys = tuple(_digits_key(p) if p.isdecimal() else (1, 0, p) for p in parts)
    return (*keys, (2, 0, text))


def _digits_key(digits: str) -> tuple[int, int, str]:
    """Orders runs of digits of any script and length as the numbers they stand for."""
    plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0")
    return 0, len(plain), plain


def read_manifest(path: str | Path) -> Manifest:
    """The clips listed in a JSON Lines file. What was tidied in ids, groups and labels is told on stderr.

    Raises:
        InputError: no such file, nothing in it, a line that is not JSON, an unknown column, a wrong type, an
            id given twice, or labels of several kinds. Each finding names file and line; five are shown and
            the rest counted.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no manifest at {path}. A script of datasets/ makes one; or fix the path.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}). A manifest is JSON Lines in UTF-8.") from error
    with noticing() as noticed:
        clips = _clips(path, lines)
    for what, names in noticed.items():
        print(f"{path}: {agreed(len(names), what)}: {shown(list(names))}", file=sys.stderr)
    return Manifest(tuple(clips), path.absolute().parent)


def _clips(path: Path, lines: Iterable[str]) -> list[Clip]:
    clips: list[Clip] = []
    first_line: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            clip = Clip.model_validate_json(line)
        except ValidationError as error:
            problems.append(f"{path}:{number}: {explain_row(error)}")
            continue
        if clip.id in first_line:
            problems.append(f"{path}:{number}: id '{clip.id}' stands in line {first_line[clip.id]} already")
        if clips and task_of(clip.label) != task_of(clips[0].label):
            problems.append(
                f"{path}:{number}: label {clip.label!r} is for {task_of(clip.label)}, but the first label, "
                f"{clips[0].label!r}, is for {task_of(clips[0].label)}; a manifest has labels of one kind"
            )
        first_line.setdefault(clip.id, number)
        clips.append(clip)
    if problems:
        raise InputError(f"{counted(len(problems), 'bad row')} in the manifest:\n" + shown(problems, "\n"))
    if not clips:
        raise InputError(f"{path} lists no clips.")
    return clips


def write_manifest(path: str | Path, clips: Iterable[Clip]) -> None:
    """Write the clips as JSON Lines. The file appears whole or not at all."""
    text = "".join(clip.model_dump_json(exclude_defaults=True) + "\n" for clip in clips)
    write_whole(Path(path), text.encode())


def check_files(manifest: Manifest) -> None:
    """Raises InputError if files that the manifest names do not exist: how many, and the first five."""
    missing: list[str] = []
    total = 0
    for clip in manifest.clips:
        for field in MEDIA_FIELDS:
            path = manifest.path(clip, field)
            if path is None:
                continue
            total += 1
            if not path.is_file():
                missing.append(f"{clip.id}: {field} {path}")
        for modality, reference in clip.features.items():
            path = manifest.root / split_reference(reference)[0]
            total += 1
            if not path.is_file():
                missing.append(f"{clip.id}: {modality} features {path}")
    if missing:
        raise InputError(
            f"{len(missing)} of {total} files named in the manifest do not exist. Paths are relative to the "
            f"manifest's folder, {manifest.root}. Missing:\n" + shown(missing, "\n")
        )


def shown(items: Sequence[str], separator: str = ", ") -> str:
    """The first few items, and how many more there are."""
    rest = len(items) - SHOWN
    return separator.join([*items[:SHOWN], *([f"… and {rest} more"] if rest > 0 else [])])


def explain_row(error: ValidationError) -> str:
    """What is wrong with a clip on one line, each finding with its column; unknown ones with the nearest."""
    findings = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"] if part != "[key]")
        if finding["type"] == "extra_forbidden":
            near = get_close_matches(where, Clip.model_fields, n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            findings.append(f"unknown column '{where}'.{hint} Known: {', '.join(Clip.model_fields)}")
        elif finding["type"] == "missing":
            findings.append(f"column '{where}' is missing")
        elif finding["type"] == "json_invalid":
            findings.append(f"not JSON: {finding['msg'].removeprefix('Invalid JSON: ')}")
        else:
            message = finding["msg"].removeprefix("Value error, ")
            given = _cut(repr(finding["input"]))
            findings.append(f"{where}: {message} (got {given})" if where else message)
    return "; ".join(map(_cut, findings))


def _cut(text: str) -> str:
    """What a message shows of something that may be long."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
