"""What a recipe consists of: its options, what it lists, what is published about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from mmvideo.clips.manifest import Clip
from mmvideo.vocabulary import Split


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """What every recipe asks for. A recipe's own options are further fields, each with a docstring."""

    source: Path
    """The download, unpacked as the recipe's README says."""
    out: Path | None = None
    """Folder for the manifest and the reports; media stay where they are. None: data/<name>."""
    check: bool = False
    """Also compare with the published counts, hash all files and audit the splits for leaks. Exit code 1 if
    something is wrong."""

    dedupe: Literal["no", "keep-first"] = "no"
    """Where files of the same content stand in two splits: keep-first leaves out every clip but those of the
    split that is listed first with it, and names them. All files are hashed for it."""

    def folder(self, name: str) -> Path:
        """Where the recipe called `name` writes to."""
        return self.out or Path("data") / name


@dataclass(frozen=True, kw_only=True)
class CarvedOptions(BaseOptions):
    """For data sets without an official validation split: each run draws its own from train, by group."""

    validation_share: float | None = None
    """Share of each class's training clips to set aside for validation now, in whole groups, the same for all
    runs. None: no clip is in val, and each seed draws its own split (data.validation_share)."""
    seed: int = 0
    """Decides which groups are set aside here."""


@dataclass(frozen=True)
class Listing:
    """What a recipe found in the download's lists."""

    clips: list[Clip]
    """Every clip that is listed, whether or not it is on disk: the files each row names are looked for
    afterwards, and a clip that lacks one is counted as missing. Paths are absolute or relative to `source`.
    Optional files (subtitles beside a video) are named only where they exist."""
    set_aside: Mapping[str, list[str]] = field(default_factory=dict)
    """Clips left out of the manifest on purpose: reason → their ids. They count as listed, never as missing,
    and the report counts them."""
    notes: Mapping[str, list[str]] = field(default_factory=dict)
    """What else the report should count, such as files on disk that no list has: what → names. Reasons and
    notes follow a number: "videos on disk are in no list"."""
    unused: Mapping[str, list[str]] = field(default_factory=dict)
    """What may be clips that were meant to be there, such as unfinished downloads: what → names. The report
    counts them, and `--check` finds fault with them."""


@dataclass(frozen=True)
class Known:
    """Published counts, before any validation split is carved. What is not known is left out."""

    clips: Mapping[Split, int] = field(default_factory=dict)
    """Clips in each official split."""
    total: int | None = None
    """Clips in all splits together."""
    classes: int | None = None
    """Number of classes."""
    per_class: Mapping[str, Mapping[Split, int]] = field(default_factory=dict)
    """Class → split → clips."""


Options = TypeVar("Options", bound=BaseOptions)


@dataclass(frozen=True)
class Recipe(Generic[Options]):
    """A data set: what it is, and how to read a download of it."""

    name: str
    """The folder's name below datasets/."""
    title: str
    """The name its authors give it."""
    options: type[Options]
    """A frozen dataclass derived from BaseOptions or CarvedOptions; its fields are the command's flags."""
    listing: Callable[[Options], Listing]
    """Read the lists of `options.source` (already absolute). Raises InputError where they are missing or
    malformed."""
    url: str = ""
    """The official page. Empty, as are licence and citation, where any data will do."""
    licence: str = ""
    citation: str = ""
    known: Callable[[Options], Known] | None = None
    """What is published, given the options."""
    defects: tuple[str, ...] = ()
    """Known defects, one short sentence each, printed by `--help`."""

    def description(self) -> str:
        """Where the data come from, for `--help`."""
        facts = [("Source", self.url), ("Licence", self.licence), ("Cite", self.citation)]
        facts += [("Known defect", defect) for defect in self.defects]
        lines = [f"{self.title} → manifest.", *(f"{name}: {text}" for name, text in facts if text)]
        return "\n\n".join(lines)
