"""What encoding clips ahead costs beside the model itself, and what memory it takes.

    python experiments/benchmarks/encoding.py path/to/UCF-101 efficientnet_lite0.safetensors [--clips 8]

Each clip's frames are read from the store, framed, put through timm's `tf_efficientnet_lite0` and their
vectors written, as `frame_model` does it; against the network alone on the same batches, normalised before.
One thread, process time, in turns; every encoding writes anew. The greatest memory is told after each pair.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from mmvideo.clips.extensions import VIDEO
from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.encoders.ahead import FRAMES_AT_ONCE, encode_clips, encoded_frames
from mmvideo.encoders.frame_model import FrameModel
from mmvideo.modalities.visual import Visual
from mmvideo.vocabulary import Split

MEGABYTE = 1024  # in the kilobytes that the system counts memory by


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="video files, at any depth")
    parser.add_argument("weights", help="of tf_efficientnet_lite0, as safetensors")
    parser.add_argument("--clips", type=int, default=8, help="how many of them, at most")
    parser.add_argument("--pairs", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    videos = [path for path in sorted(options.folder.rglob("*")) if path.suffix.lower() in VIDEO]
    step = max(1, len(videos) // options.clips)
    with tempfile.TemporaryDirectory() as scratch:
        config = configure(videos[::step][: options.clips], Path(scratch), options.weights)
        measure(RunData.open(config, progress=True), options.pairs)


def configure(videos: list[Path], scratch: Path, weights: str) -> RunConfig:
    """All clips but the last two, which val and test need, in train."""
    splits: list[Split] = [*["train"] * (len(videos) - 2), "val", "test"]  # type: ignore[list-item]
    clips = [
        Clip(id=path.stem, label=str(number % 2), group=path.stem, split=split, video=str(path.resolve()))
        for number, (path, split) in enumerate(zip(videos, splits, strict=True))
    ]
    write_manifest(scratch / "manifest.jsonl", clips)
    encoder = EncoderChoice.of("frame_model", model="tf_efficientnet_lite0.in1k", weights=weights)
    visual = Input.of("visual", encoder, frame_size=256, frame_codec="jpeg", random_crop=False)
    data = DataConfig(manifest=str(scratch / "manifest.jsonl"), store=str(scratch / "store"), frame_rate=2.0)
    return RunConfig(
        inputs={"visual": visual}, modalities=("visual",), fusion=FusionChoice.of("single"), data=data
    )


@torch.no_grad()
def measure(data: RunData, pairs: int) -> None:
    visual = data.modalities["visual"]
    assert isinstance(visual, Visual)
    options = data.config.inputs["visual"].encoder.options
    assert isinstance(options, FrameModel.Config)
    encoder = FrameModel(options, None, 1, frozenset({"stem"})).eval()
    batches: list[Tensor] = []
    for clip in data.source.clips:
        with data.source.store.open(data.source.keys[clip.id]) as stored:
            batches += encoder.model.normalise(visual.whole(clip, stored)[0]).split(FRAMES_AT_ONCE)
    frames, ratios = sum(len(batch) for batch in batches), []
    print(f"{len(data.source.clips)} clips, {frames} frames, n = {pairs} pairs, process time")
    encoder.model.network(batches[0])
    for pair in range(pairs):
        began = time.process_time()
        for batch in batches:
            encoder.model.network(batch)
        bare = time.process_time() - began
        began = time.process_time()
        ahead = encoded_frames(encoder, {"pair": pair}, visual, torch.device("cpu"))
        encode_clips(ahead, visual, data.source)
        encoding = time.process_time() - began
        ratios.append(bare / encoding)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE
        rates = f"bare {frames / bare:.1f} frames/s, encoding {frames / encoding:.1f}"
        print(f"  {rates}, ratio {ratios[-1]:.3f}, greatest memory {memory:,.0f} MB", flush=True)
    print(f"encoding / bare rate: median {median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")


if __name__ == "__main__":
    main()
