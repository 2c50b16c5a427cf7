"""What building the store costs: against bare decord decoding of the same frames, in memory, and projected.

    python experiments/benchmarks/decode.py path/to/UCF-101 [--clips 125] [--repeats 3] [--workers 2]

Both sides run with the same number of fresh processes, in turns; ratios are those of the medians. CPU seconds
are those of all processes, and tell more than time where the machine is busy. The bare side decodes the
frames nearest to the same instants at full size with decord and throws them away. The store also reads the
sound, shrinks the frames, hashes the files, writes and checks.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from mmvideo.clips.extensions import VIDEO
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Clip, Manifest
from mmvideo.store.builder import Job, decode_clip
from mmvideo.store.clip_format import read_clip
from mmvideo.store.media import instants, shown_at
from mmvideo.store.store import Store, StoreSettings

UCF101_CLIPS = 13_320


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="video files, at any depth")
    parser.add_argument("--clips", type=int, default=125, help="how many of them, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reads", type=int, default=1000, help="clips decoded and read in the leak test")
    parser.add_argument("--frame-rate", type=float, default=4.0)
    parser.add_argument("--frame-size", type=int, default=64)
    parser.add_argument("--frame-codec", choices=["raw", "jpeg"], default="raw")
    options = parser.parse_args()
    videos = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in VIDEO)
    videos = videos[: options.clips]
    settings = StoreSettings(options.frame_rate, options.frame_size, 16000, frame_codec=options.frame_codec)
    with tempfile.TemporaryDirectory() as scratch:
        seconds = compare(videos, settings, options.workers, options.repeats, Path(scratch))
        sizes = [path.stat().st_size for path in Path(scratch, "store").rglob("objects/*/*.safetensors")]
        peak = leak_test(videos, settings, options.reads, Path(scratch))
    share = UCF101_CLIPS / len(videos)
    print(
        f"\nProjected for {UCF101_CLIPS:,} clips like these {len(videos)}, {options.workers} processes: "
        f"{sum(sizes) * share / 2**30:.2f} GB, {seconds * share / 60:.0f} min, "
        f"{peak * options.workers:.0f} MB for the workers"
    )


def compare(videos: list[Path], settings: StoreSettings, workers: int, repeats: int, scratch: Path) -> float:
    """Print both sides' times; the seconds of the store's median build."""
    works: dict[str, Callable[[], object]] = {
        "store": lambda: build(videos, settings, workers, scratch),
        "bare decord": lambda: bare(videos, settings.frame_rate, workers),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    cpu: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        shutil.rmtree(scratch / "store", ignore_errors=True)
        for name, work in works.items():
            began, began_cpu = time.perf_counter(), cpu_seconds()
            work()
            times[name].append(time.perf_counter() - began)
            cpu[name].append(cpu_seconds() - began_cpu)
    middle = {name: (statistics.median(times[name]), statistics.median(cpu[name])) for name in works}
    print(f"{len(videos)} clips, {workers} processes, {repeats} turns; seconds, median [least, greatest]")
    for name, (median, median_cpu) in middle.items():
        spread = f"[{min(times[name]):.2f}, {max(times[name]):.2f}]"
        print(f"  {name:<12}{median:7.2f} {spread}, CPU {median_cpu:.2f}")
    ratio, cpu_ratio = (ours / theirs for ours, theirs in zip(*middle.values(), strict=True))
    print(f"  store / bare{ratio:7.2f}, CPU {cpu_ratio:.2f}")
    print(f"  the store's rate is {1 / ratio:.2f} of the bare one")
    return middle["store"][0]


def cpu_seconds() -> float:
    """What this process and those it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def build(videos: list[Path], settings: StoreSettings, workers: int, scratch: Path) -> None:
    clips = [
        Clip(id=path.stem, label="x", group=path.stem, split="train", video=str(path.resolve()))
        for path in videos
    ]
    report = Store(scratch / "store", settings).build(
        Manifest(tuple(clips), scratch),
        workers=workers,
        time_limit=60,
        max_failed_share=0.0,
        hashes=ContentHashes(scratch / "store" / "hashes.json"),
        progress=False,
    )
    assert report.built == len(videos)


def bare(videos: list[Path], rate: float, workers: int) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        pool.starmap(decode_bare, [(path, rate) for path in videos], chunksize=1)
        pool.close()
        pool.join()  # or their CPU time would not be counted


def decode_bare(path: Path, rate: float) -> int:
    """Decode the frames shown at the sampled instants; how many bytes they have."""
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    reader = decord.VideoReader(str(path), num_threads=1)
    starts = np.arange(len(reader)) / reader.get_avg_fps()
    chosen = shown_at(starts, instants(rate, 0.0, len(reader) / reader.get_avg_fps()))
    return int(reader.get_batch(chosen).asnumpy().nbytes)


def leak_test(videos: list[Path], settings: StoreSettings, reads: int, scratch: Path) -> float:
    """Decode, then read, many clips in one process each; print its memory on the way; the peak in MB."""
    peak = 0.0
    for title, work in (("decoded", decode_many), ("read from the store", read_many)):
        ours, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(theirs, videos, settings, reads, scratch / "leak")
        )
        process.start()
        theirs.close()
        marks = []
        while True:
            try:
                marks.append(ours.recv())
            except EOFError:
                break
        process.join()
        resident = ", ".join(f"{count}: {memory:.0f}" for count, memory, _ in marks)
        print(f"\n{reads} clips {title} in one process, resident MB after so many: {resident}")
        growth = marks[-1][1] - marks[len(marks) // 2][1]
        print(f"  second half: {growth:+.1f} MB; peak {marks[-1][2]:.0f} MB")
        peak = max(peak, marks[-1][2])
    return peak


def decode_many(
    to: Connection, videos: list[Path], settings: StoreSettings, count: int, scratch: Path
) -> None:
    for number, path in enumerate(itertools.islice(itertools.cycle(videos), count), start=1):
        quality = settings.jpeg_quality if settings.frame_codec == "jpeg" else None
        sampling = (settings.frame_rate, settings.frame_size, settings.sample_rate, settings.backend)
        target = scratch / f"{path.stem}.safetensors"
        decode_clip(Job(path.stem, target, path, None, None, 0.0, None, *sampling, quality, {}))
        if number % max(1, count // 10) == 0:
            to.send((number, *memory()))


def read_many(to: Connection, videos: list[Path], settings: StoreSettings, count: int, scratch: Path) -> None:
    for number, path in enumerate(itertools.islice(itertools.cycle(videos), count), start=1):
        read_clip(scratch / f"{path.stem}.safetensors")
        if number % max(1, count // 10) == 0:
            to.send((number, *memory()))


def memory() -> tuple[float, float]:
    """This process's resident memory and its peak, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(values["VmRSS"]) / 1024, int(values["VmHWM"]) / 1024


if __name__ == "__main__":
    main()
