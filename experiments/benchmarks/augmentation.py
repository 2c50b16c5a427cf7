"""What loading processes are spared where pictures are changed on the device (`visual.on_device`).

    python experiments/benchmarks/augmentation.py path/to/UCF-101 [--clips 48] [--repeats 5] [--device cuda]

Clips are stored at 256 pixels and shown at 224, 16 frames each, as the base `ucf101_gpu` has it. One process
and one thread read an epoch, every change made clip by clip, and left to the device; then batches
of 16 clips are changed at once there. In turns; milliseconds a clip, median [least, greatest].
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmvideo.clips.extensions import VIDEO
from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.loading import in_batches
from mmvideo.data.run_data import RunData
from mmvideo.types import Batch

CHANGES: dict[str, dict[str, float]] = {
    "crop": {},
    "flip, turn, crop": {"flip_probability": 0.5, "rotate_degrees": 5.0},
    "flip, resized crop": {"flip_probability": 0.5, "smallest_crop": 0.3},
    "all, and colours": {
        "flip_probability": 0.5, "rotate_degrees": 5.0, "smallest_crop": 0.3,
        "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1,
    },
}  # fmt: skip
SIZE = 16
"""Clips of a batch."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="video files, at any depth")
    parser.add_argument("--clips", type=int, default=48, help="how many of them, at most")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="where batches are changed at once")
    options = parser.parse_args()
    torch.set_num_threads(1)
    videos = [path for path in sorted(options.folder.rglob("*")) if path.suffix.lower() in VIDEO]
    with tempfile.TemporaryDirectory() as scratch:
        manifest = listed(videos[: options.clips], Path(scratch))
        for name, changes in CHANGES.items():
            measure(name, changes, manifest, options.repeats, torch.device(options.device))


def listed(videos: list[Path], scratch: Path) -> Path:
    """A manifest of them, all in training but two."""
    splits: list[Any] = [*["train"] * (len(videos) - 2), "val", "test"]
    clips = [
        Clip(id=path.stem, label=str(number % 2), group=path.stem, split=split, video=str(path.resolve()))
        for number, (path, split) in enumerate(zip(videos, splits, strict=True))
    ]
    write_manifest(scratch / "manifest.jsonl", clips)
    return scratch / "manifest.jsonl"


def opened(manifest: Path, changes: dict[str, float], on_device: bool) -> RunData:
    encoder = EncoderChoice.of("cnn_lstm", picture_size=224)
    visual = Input.of("visual", encoder, frame_size=256, on_device=on_device, **changes)
    data = DataConfig(
        manifest=str(manifest), store=str(manifest.parent / "store"), frame_rate=4.0, max_seconds=4.0
    )
    return RunData.open(RunConfig(inputs={"visual": visual}, data=data, fusion=FusionChoice.of("single")))


def measure(name: str, changes: dict[str, float], manifest: Path, repeats: int, device: torch.device) -> None:
    clip_by_clip, left = (
        opened(manifest, changes, on).dataset("train", training=True) for on in (False, True)
    )
    batches = [batch.to(device) for batch in in_batches(left, SIZE)]

    def finish() -> list[Batch]:
        found = [batch.finished() for batch in batches]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return found

    works: dict[str, Callable[[], object]] = {
        "loaded, changed clip by clip": lambda: list(in_batches(clip_by_clip, SIZE)),
        "loaded, left to the device": lambda: list(in_batches(left, SIZE)),
        f"changed at once, {device}": finish,
    }
    times: dict[str, list[float]] = {way: [] for way in works}
    for turn in range(repeats + 1):
        for way, work in works.items():
            began = time.perf_counter()
            work()
            if turn:  # the first warms caches up
                times[way].append(1000 * (time.perf_counter() - began) / len(left))
    print(f"{name}: {len(left)} clips, {repeats} turns")
    for way, values in times.items():
        print(f"  {way:<32}{statistics.median(values):8.2f} [{min(values):.2f}, {max(values):.2f}]")
    before, after, _ = times.values()
    ratios = [a / b for a, b in zip(before, after, strict=True)]
    print(
        f"  loading gets faster by {statistics.median(ratios):24.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
    )


if __name__ == "__main__":
    main()
