"""What reading the store saves: an epoch from it against decoding again, and against what a model consumes.

    python experiments/benchmarks/loader.py path/to/UCF-101 [--clips 50] [--repeats 3]

One process and one thread throughout, in turns; ratios are those of medians. The samples are those of the
base configuration `ucf101`; the model is its default one, in training.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from mmvideo.clips.extensions import VIDEO
from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.config import Input, RunConfig, RuntimeConfig
from mmvideo.data.loading import in_batches
from mmvideo.data.run_data import RunData
from mmvideo.model import build_model
from mmvideo.store.decode import decode_audio, decode_video
from mmvideo.store.keys import StoreSettings
from mmvideo.types import Batch
from mmvideo.vocabulary import Split

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bases import ucf101


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="video files, at any depth")
    parser.add_argument("--clips", type=int, default=50, help="how many of them, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frame-codec", choices=["raw", "jpeg"], default="raw")
    options = parser.parse_args()
    torch.set_num_threads(1)
    videos = [path for path in sorted(options.folder.rglob("*")) if path.suffix.lower() in VIDEO]
    with tempfile.TemporaryDirectory() as scratch:
        config = configure(videos[: options.clips], Path(scratch), options.frame_codec)
        measure(RunData.open(config, progress=True), options.repeats)


def configure(videos: list[Path], scratch: Path, codec: str) -> RunConfig:
    """All clips but the last two, which val and test need, in train."""
    splits: list[Split] = [*["train"] * (len(videos) - 2), "val", "test"]  # type: ignore[list-item]
    labels = [*(str(number % 5) for number in range(len(videos) - 2)), "0", "0"]
    clips = [
        Clip(id=path.stem, label=label, group=path.stem, split=split, video=str(path.resolve()))
        for path, label, split in zip(videos, labels, splits, strict=True)
    ]
    write_manifest(scratch / "manifest.jsonl", clips)
    base = ucf101(str(scratch / "manifest.jsonl"))
    visual = base.inputs["visual"]
    options = visual.options.model_copy(update={"frame_codec": codec})
    inputs: dict[str, Input] = {
        "visual": visual.model_copy(update={"options": options}),
        "audio": base.inputs["audio"],
    }
    return base.model_copy(
        update={
            "data": base.data.model_copy(update={"store": str(scratch / "store")}),
            "inputs": inputs,
            "modalities": tuple(inputs),
            "runtime": RuntimeConfig(device="cpu"),
        }
    )


def measure(data: RunData, repeats: int) -> None:
    config, dataset = data.config, data.dataset("train", training=True)
    model = build_model(config, data.outputs, data.told)
    optimizer = torch.optim.AdamW(model.parameters())

    def load() -> list[Batch]:
        return list(in_batches(dataset, config.train.batch_size))

    def decode() -> None:
        for clip in dataset.clips:
            decode_again(clip, data.source.store.settings)

    batches = load()

    def train() -> None:
        for batch in batches:
            loss = torch.nn.functional.cross_entropy(model(batch).logits, batch.labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    works: dict[str, Callable[[], object]] = {"store": load, "decode": decode, "train": train}
    times: dict[str, list[float]] = {name: [] for name in works}
    train()
    for _ in range(repeats):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - began)
    middle = {name: median(values) for name, values in times.items()}
    print(f"{len(dataset)} clips, {repeats} turns; milliseconds a clip, median [least, greatest]")
    for name, title in (
        ("store", "a sample from the store"), ("decode", "decoding it again"), ("train", "training on it")
    ):  # fmt: skip
        scaled = [1000 * value / len(dataset) for value in (middle[name], min(times[name]), max(times[name]))]
        print(f"  {title:<24}{scaled[0]:8.2f} [{scaled[1]:.2f}, {scaled[2]:.2f}]")
    print(f"  decoding again / store  {middle['decode'] / middle['store']:8.1f}")
    print(f"  training / store        {middle['train'] / middle['store']:8.1f}")


def decode_again(clip: Clip, stored: StoreSettings) -> None:
    """The same frames and sound from the container."""
    assert clip.video is not None
    assert stored.frame_size is not None
    assert stored.sample_rate is not None
    decode_audio(clip.video, sample_rate=stored.sample_rate)
    decode_video(clip.video, rate=stored.frame_rate, size=stored.frame_size)


if __name__ == "__main__":
    main()
