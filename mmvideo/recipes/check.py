"""What a recipe found, compared with what was listed and what is published; told as one readable page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmvideo.clips.labels import classes_of
from mmvideo.clips.manifest import Clip, Manifest, natural_key, shown
from mmvideo.clips.notices import absence_notices, split_notices
from mmvideo.recipes.base import Known
from mmvideo.vocabulary import SPLITS, Split, agreed, counted


@dataclass(frozen=True)
class Outcome:
    """What `prepare` found and wrote."""

    title: str
    manifest: Path
    listed: tuple[Clip, ...]
    """Every clip of the official lists, in their splits."""
    clips: tuple[Clip, ...]
    """The clips in the manifest: listed, on disk, some of train moved to val where that was carved."""
    missing: Mapping[str, Sequence[Path]]
    """Id of a clip that is not in the manifest → its files that are not on disk."""
    set_aside: Mapping[str, list[str]]
    """Clips left out on purpose: reason → ids."""
    notes: Mapping[str, list[str]]
    """What else was noticed: what → names."""
    unused: Mapping[str, list[str]]
    """What may be clips that were meant to be there: what → names."""
    known: Known | None
    carved: bool
    """Whether the validation split was carved from train."""
    leaks: str | None
    """What the audit found; empty: nothing; None: it was not asked."""
    faulty: Mapping[str, str] = field(default_factory=dict)
    """Media that do not open, or end before the end that they state → why."""
    present: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By modality, as far as names and files that were opened tell, ids of the clips that have it."""

    @property
    def problems(self) -> list[str]:
        """What is wrong, one sentence each. Empty: as published and complete."""
        found = [*_different_counts(self.listed, self.known)]
        if self.missing:
            found.append(
                f"{len(self.missing):,} of {len(self.listed):,} listed clips "
                f"{'has' if len(self.missing) == 1 else 'have'} no file "
                f"({_per_split(self.listed, set(self.missing))}): {shown(list(self.missing))}. "
                f"All are named in {self.manifest.parent / 'missing.txt'}."
            )
        found += [f"{agreed(len(names), what)}: {shown(names)}." for what, names in self.unused.items()]
        if empty := self._empty():
            found.append(
                f"{agreed(len(empty), 'files are empty (0 bytes)')}: {shown(empty)}. Download them again."
            )
        if self.faulty:
            told = shown([f"{path}: {why}" for path, why in self.faulty.items()], "; ")
            what = agreed(len(self.faulty), "files cannot be opened, or are cut short")
            found.append(f"{what}: {told}. Download them again.")
        if self.leaks:
            found.append(self.leaks)
        return found

    def _empty(self) -> list[str]:
        """Media of the clips without a byte in them."""
        manifest = Manifest(self.clips, self.manifest.parent)
        paths = {manifest.path(clip, name) for clip in self.clips for name in ("video", "audio")}
        return sorted(str(path) for path in paths if path and path.is_file() and not path.stat().st_size)

    def summary(self, checked: bool) -> str:
        """The counts for people; after a check also its verdict. Ends with a line break."""
        lines = [f"{self.title} → {self.manifest}", *self._split_table()]
        if self.carved:
            lines.append("val was carved from train, whole groups at a time.")
        elif not any(clip.split == "val" for clip in self.clips):
            lines.append("val: each run draws its own from train, whole groups at a time.")
        if self.missing and not checked:
            lines.append(
                f"{agreed(len(self.missing), 'listed clips have no file')}: {shown(list(self.missing))}. "
                f"All are named in {self.manifest.parent / 'missing.txt'}."
            )
        lines += [
            f"{agreed(len(ids), why)}; set aside: {shown(ids)}" for why, ids in self.set_aside.items() if ids
        ]
        told = [*self.notes.items(), *(() if checked else self.unused.items())]
        lines += [f"{agreed(len(names), what)}: {shown(names)}" for what, names in told]
        lines += [*split_notices(self.clips), *absence_notices(self.clips, self.present)]
        if len({clip.group for clip in self.clips}) == len(self.clips) > 1:
            lines.append(
                "Each clip is a group of its own: if some show the same person, scene or source, tell their "
                "group (an option of the recipe, such as --group, or `group` in the manifest), or the splits "
                "leak and nothing here can see it."
            )
        if checked:
            lines += self._verdict()
        return "\n".join(lines) + "\n"

    def class_table(self) -> str:
        """Clips per class and split as listed, and how many of them are in the manifest."""
        listed, present = _by_class(self.listed), _by_class(self.clips)
        width = max([len("class"), *map(len, listed)])
        rows = [f"{'class':{width}} " + " ".join(f"{split:>7}" for split in SPLITS) + "  missing"]
        for label in sorted(listed, key=natural_key):
            counts = " ".join(f"{present[label][split]:>7,}" for split in SPLITS)
            rows.append(f"{label:{width}} {counts}  {listed[label].total() - present[label].total():>7,}")
        return "\n".join(rows) + "\n" if listed else ""

    def _split_table(self) -> list[str]:
        listed, written = _by_split(self.listed), _by_split(self.clips)
        groups = {split: len({c.group for c in self.clips if c.split == split}) for split in SPLITS}
        known = self.known or Known()
        lines = [f"{'':8}{'published':>10}{'listed':>10}{'manifest':>10}{'groups':>10}"]
        for split in SPLITS:
            official = f"{known.clips[split]:,}" if split in known.clips else "–"
            lines.append(
                f"{split:8}{official:>10}{listed[split]:>10,}{written[split]:>10,}{groups[split]:>10,}"
            )
        total = "–" if known.total is None else f"{known.total:,}"
        lines.append(
            f"{'all':8}{total:>10}{len(self.listed):>10,}{len(self.clips):>10,}"
            f"{len({clip.group for clip in self.clips}):>10,}"
        )
        classes = "–" if known.classes is None else f"{known.classes:,}"
        counts = f"{len(_by_class(self.listed)):>10,}{len(_by_class(self.clips)):>10,}"
        return [*lines, f"{'classes':8}{classes:>10}{counts}"]

    def _verdict(self) -> list[str]:
        problems = self.problems
        if not problems:
            compared = "The counts are the published ones" if self.known else "No counts are published"
            return [
                f"check: {compared}, all files are there, none is empty, all open and none ends early, the "
                "splits share no group and no file. What is damaged inside is told when they are decoded."
            ]
        return [f"check: {counted(len(problems), 'problem')}.", *(f"- {problem}" for problem in problems)]


def _by_split(clips: Iterable[Clip]) -> Counter[Split]:
    return Counter(clip.split for clip in clips)


def _by_class(clips: Iterable[Clip]) -> dict[str, Counter[Split]]:
    counts: dict[str, Counter[Split]] = defaultdict(Counter)
    for clip in clips:
        for label in classes_of(clip.label):
            counts[label][clip.split] += 1
    return counts


def _per_split(clips: Iterable[Clip], names: set[str]) -> str:
    counts = _by_split(clip for clip in clips if clip.id in names)
    return ", ".join(f"{split} {counts[split]:,}" for split in SPLITS if counts[split])


def _different_counts(listed: Sequence[Clip], known: Known | None) -> list[str]:
    """Where the lists do not hold what is published."""
    if known is None:
        return []
    found = []
    splits, classes = _by_split(listed), _by_class(listed)
    wrong = [
        f"{s} {splits[s]:,} instead of {known.clips[s]:,}" for s in known.clips if splits[s] != known.clips[s]
    ]
    if wrong:
        found.append(f"Other numbers of clips are listed than published: {', '.join(wrong)}.")
    if known.total is not None and len(listed) != known.total:
        found.append(f"{len(listed):,} clips are listed instead of the published {known.total:,}.")
    if known.classes is not None and len(classes) != known.classes:
        found.append(f"{len(classes):,} classes are listed instead of the published {known.classes:,}.")
    strange = [
        f"{label} {split} {classes[label][split]:,} instead of {count:,}"
        for label, counts in known.per_class.items()
        for split, count in counts.items()
        if classes[label][split] != count
    ]
    if strange:
        found.append(f"{len(strange)} class(es) differ from the published counts: {shown(strange)}.")
    return found
