"""Your own download of UCF101 → manifest.jsonl: the official split, and validation carved by group.

python datasets/ucf101/prepare.py --source ~/downloads/ucf101 --out data/ucf101
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from mmvideo.data.audit import audit, carve_validation
from mmvideo.data.files import write_whole
from mmvideo.data.hashing import ContentHashes
from mmvideo.data.manifest import Clip, read_manifest, shown, write_manifest
from mmvideo.words import SPLITS, InputError, Split

LISTS = "ucfTrainTestlist"
VIDEO_NAME = re.compile(r"v_\w+_(g\d\d)_c\d\d")


@dataclass
class Found:
    """What the official lists name and what the disk holds."""

    clips: list[Clip] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Listed and not on disk."""
    unlisted: list[str] = field(default_factory=list)
    """On disk and in no list."""

    def summary(self, out: Path) -> str:
        """What was found, for people."""
        groups = {split: {c.group for c in self.clips if c.split == split} for split in SPLITS}
        count = Counter(clip.split for clip in self.clips)
        lines = [f"UCF101 → {out}"]
        lines += [
            f"{split:>6}: {count[split]:>6,} clips in {len(groups[split]):,} groups" for split in SPLITS
        ]
        lines.append(f"{len({clip.label for clip in self.clips})} classes")
        for what, names in {
            "listed but not on disk": self.absent,
            "on disk but in no list": self.unlisted,
        }.items():
            lines.append(f"{len(names):,} clips {what}" + (f": {shown(names)}" if names else ""))
        return "\n".join(lines) + "\n"


def find_clips(source: Path, out: Path, split: int) -> Found:
    """The clips of one official split that are on disk, labelled by their folder, grouped by `<Class>_gXX`.

    Groups are per class: g01 of one class has nothing to do with g01 of another.

    Raises:
        InputError: the lists are missing or malformed, or none of the clips they name is there.
    """
    videos = source / "UCF-101" if (source / "UCF-101").is_dir() else source
    found = Found()
    listed = set()
    parts: tuple[Split, Split] = ("train", "test")
    for part in parts:
        for name in _read_list(source / LISTS / f"{part}list0{split}.txt"):
            listed.add(name)
            if (videos / name).is_file():
                found.clips.append(_clip(videos / name, out, part))
            else:
                found.absent.append(name)
    on_disk = {f"{path.parent.name}/{path.name}" for path in videos.glob("*/*.avi")}
    found.unlisted = sorted(on_disk - listed)
    if not found.clips:
        raise InputError(
            f"None of the {len(listed):,} clips listed for split {split} is under {videos}. Expected class "
            f"folders there, or under {source / 'UCF-101'}, with files such as {min(listed)}."
        )
    return found


def _read_list(path: Path) -> list[str]:
    """`<Class>/<file>.avi` of every line; training lists add a class number, which the folder tells."""
    if not path.is_file():
        archive = "UCF101TrainTestSplits-RecognitionTask.zip"
        raise InputError(f"There is no {path}. Unpack {archive} into {path.parent.parent}.")
    names = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    strange = [name for name in names if name.count("/") != 1 or not VIDEO_NAME.fullmatch(Path(name).stem)]
    if strange:
        raise InputError(
            f"{path}: {len(strange)} lines are not <Class>/v_<Class>_gXX_cXX.avi: {shown(strange)}"
        )
    return names


def _clip(video: Path, out: Path, split: Split) -> Clip:
    match = VIDEO_NAME.fullmatch(video.stem)
    assert match is not None
    subtitles = next((p for p in (video.with_suffix(".srt"), video.with_suffix(".vtt")) if p.is_file()), None)
    return Clip(
        id=video.stem,
        label=video.parent.name,
        group=f"{video.parent.name}_{match[1]}",
        split=split,
        video=os.path.relpath(video, out),
        subtitles=os.path.relpath(subtitles, out) if subtitles else None,
    )


def prepare(
    source: Path,
    out: Path,
    split: Literal[1, 2, 3] = 1,
    validation_share: float = 0.15,
    seed: int = 0,
    check: bool = False,
) -> Path:
    """Write `manifest.jsonl` and `report.txt` for one of UCF101's official splits.

    Args:
        source: the download: class folders in it or under UCF-101/, lists under ucfTrainTestlist/.
        out: folder for the manifest; media stay where they are.
        split: which of the three official splits.
        validation_share: share of each class's training clips to set aside, whole groups at a time.
        seed: decides which groups.
        check: also hash all files and audit the splits for leaks.
    """
    source, out = source.expanduser().absolute(), out.expanduser().absolute()
    found = find_clips(source, out, split)
    found.clips = carve_validation(found.clips, validation_share, seed)
    write_manifest(out / "manifest.jsonl", found.clips)
    summary = found.summary(out / "manifest.jsonl")
    write_whole(out / "report.txt", summary.encode())
    print(summary, end="")
    if check:
        audit(read_manifest(out / "manifest.jsonl"), hashes=ContentHashes(out / "hashes.json"))
        print("The splits share no group and no file.")
    return out / "manifest.jsonl"


if __name__ == "__main__":
    try:
        tyro.cli(prepare)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
