"""What a longer manifest costs a run before its first step: time and memory a line, which should be flat.

    python experiments/benchmarks/growth.py [--lines 1000 10000 100000 300000] [--folder /tmp/growth]

Manifests are made up: a tiny file a clip, 400 classes, groups of 8 clips. Measured, each in a process of its
own: reading the manifest; auditing it, the hashes known; the store's index, every clip stored already;
an epoch's order; and the draw of a validation split. Times are the process's own (user and system), since
other work on the machine is none of theirs; seconds on the clock stand beside the audit's.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmvideo.clips.audit import audit
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest, read_manifest, write_manifest
from mmvideo.clips.validation import carve_validation
from mmvideo.data.loading import epoch_order
from mmvideo.store.clip_format import write_clip
from mmvideo.store.store import BuildReport, Store, StoredClip, StoreSettings
from mmvideo.store.subtitles import Word
from mmvideo.vocabulary import Split

CLASSES, GROUP = 400, 8
SETTINGS = StoreSettings(4.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, nargs="+", default=[1000, 10_000, 100_000, 300_000])
    parser.add_argument("--folder", type=Path, help="where the files are made, and left (default: a new one)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.measure)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        print(
            "|lines|read|audit|index|order|val split|µs a line|KB a line|audit on the clock|\n|--|"
            + "--|" * 8
        )
        for lines in asked.lines:
            folder = (asked.folder or Path(scratch)) / str(lines)
            if not (folder / "made").exists():
                make(folder, lines)
            command = [sys.executable, __file__, "--measure", str(folder)]
            print(
                row(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)), flush=True
            )


def row(found: dict[str, Any]) -> str:
    """A line of the table: seconds of each part; then all of them, and memory, over the manifest's lines."""
    lines, seconds = found["lines"], found["seconds"]
    cells = [f"{lines:,}", *(f"{value:.2f} s" for value in seconds.values())]
    cells += [f"{1e6 * sum(seconds.values()) / lines:.0f}", f"{found['bytes'] / lines / 1024:.1f}"]
    return "|" + "|".join([*cells, f"{found['clock']:.1f} s"]) + "|"


def make(folder: Path, lines: int) -> None:
    """The files, the manifest, and a store that has every clip and knows every hash."""
    clips = [clip(number) for number in range(lines)]
    store, hashes = Store(folder / "store", SETTINGS), ContentHashes(folder / "hashes.json")
    for one in clips:
        path = folder / str(one.video)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.id)
    write_manifest(folder / "manifest.jsonl", clips)
    time.sleep(0.2)  # hashes of files just written are not remembered
    manifest = Manifest(tuple(clips), folder.absolute())
    words = StoredClip(words=(Word("said", 0.0, 1.0),))
    for job in store._jobs(manifest, hashes)[0].values():
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_clip(job.target, words, None, origin=job.origin)
    (folder / "made").touch()


def clip(number: int) -> Clip:
    group = number // GROUP
    split: Split = "test" if group % 10 == 9 else "train"
    place = f"media/{number % 256:02x}/{number}.mp4"
    label = f"class{group // 3 % CLASSES}"  # of three groups in a row, at most one is of the test split
    return Clip(id=f"clip{number:07d}", split=split, label=label, group=f"group{group:06d}", video=place)


def measured(folder: Path) -> dict[str, Any]:
    """Seconds of each part, and the memory that all of them leave in use."""
    seconds: dict[str, float] = {}
    clock: dict[str, float] = {}

    def timed(name: str, do: Callable[[], Any]) -> Any:
        start, began = time.process_time(), time.perf_counter()
        made = do()
        seconds[name], clock[name] = time.process_time() - start, time.perf_counter() - began
        return made

    before = in_use()
    manifest = timed("read", lambda: read_manifest(folder / "manifest.jsonl"))
    kept: list[Any] = []

    def audited() -> ContentHashes:
        hashes = ContentHashes(folder / "hashes.json")
        kept.append(audit(manifest, hashes=hashes))
        return hashes

    hashes = timed("audit", audited)
    store = Store(folder / "store", SETTINGS)

    def indexed() -> BuildReport:
        limits: dict[str, Any] = {"workers": 1, "time_limit": 60.0, "max_failed_share": 0.0}
        return store.build(manifest, hashes=hashes, progress=False, **limits)

    report = timed("index", indexed)
    assert report.reused == len(manifest.clips)
    kept.append(timed("order", lambda: epoch_order(len(manifest.clips), seed=0, epoch=1)))
    left = in_use() - before
    timed("val split", lambda: carve_validation(manifest.clips, 0.15, seed=0))
    return {"lines": len(manifest.clips), "seconds": seconds, "bytes": left, "clock": clock["audit"]}


def in_use() -> int:
    """Bytes of memory that the process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
