"""What only a GPU can tell, in under five minutes: runs train, resume, evaluate and compile, and how fast.

    python experiments/gpu_check.py [--out experiments/results/gpu]

Planted clips are trained on in bf16, with and without an interruption, and compiled. Then steps of the base
`ucf101_gpu` are timed, forward and backward, as written and compiled: ResNet-18, 32 clips of 16 frames at
224 pixels, and sound; its weights are drawn and the batch is made up. Then planted clips, stored at that
size, are read by as many processes as there are cores, changed on the device, and trained on. One JSON file
named after the card has each finding and what fell short of its bar. Ends with 1 where anything did, with 2
where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from lightning_fabric import Fabric

from mmvideo.config import RunConfig
from mmvideo.data.loading import SplitLoader
from mmvideo.data.opened import open_data
from mmvideo.data.run_data import RunData
from mmvideo.model import build_model
from mmvideo.planted import PlantedSpec, generate
from mmvideo.runs.assembly import make_fabric
from mmvideo.runs.costs import step_ms
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import execute
from mmvideo.runs.training import Training
from mmvideo.training.compilation import compile_parts
from mmvideo.training.feeding import on_device
from mmvideo.training.optimization import make_optimizer
from mmvideo.types import Batch, Tokens

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bases import planted, ucf101_gpu

BARS = {"as written": 626.0, "compiled": 1000.0}
"""Clips a second of a step: as written twice the 313 that an H200 was measured to do before, and compiled."""
FED = {"read": 1.2, "trained from the store": 0.9}
"""Clips a second, as multiples of those of the compiled step."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("experiments/results/gpu"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu-check: torch finds no GPU on this machine, so nothing was checked.", file=sys.stderr)
        return 2
    began, card = time.monotonic(), torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small, timed = small_run(folder, 240), timed_run(folder)
        findings = {**runs(small, folder), **speed(timed, steps_batch(32))}
        findings |= feeding(compiled(fed_run(timed, small.data.manifest, folder)))
    return report(findings, card, time.monotonic() - began, options.out)


def small_run(folder: Path, train: int, **changes: Any) -> RunConfig:
    """A short run on planted clips made in the folder."""
    spec = PlantedSpec(task="unique_audio", train=train, val=train // 3, test=train // 3)
    base = planted(str(generate(spec, folder / "planted")))
    data = base.data.model_copy(update={"store": str(folder / "store")})
    training = base.train.model_copy(update={"epochs": 2, "precision": "bf16-mixed", **changes})
    tracking = base.tracking.model_copy(update={"wandb": False})
    return base.model_copy(update={"data": data, "train": training, "tracking": tracking})


def runs(config: RunConfig, folder: Path) -> dict[str, Any]:
    """Whether runs finish, an interrupted one gives what an uninterrupted one does, and one compiles."""
    whole = execute(config, root=folder / "whole")
    interrupt(config, folder / "resumed")
    resumed = execute(config, root=folder / "resumed")
    execute(compiled(config), root=folder / "compiled")
    return {
        "trains and evaluates": True,
        "resumes to the same predictions": predictions(whole) == predictions(resumed),
        "test accuracy": RunDirectory(whole).result().test["accuracy"],
    }


def compiled(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"train": config.train.model_copy(update={"compile": True})})


def interrupt(config: RunConfig, root: Path) -> None:
    """Begin the run, and leave it in its second epoch."""
    data = RunData.over(config, open_data(config), {})
    run = RunDirectory.create(root, config, data.fingerprint)

    def stop(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 2:
            raise KeyboardInterrupt

    try:
        with run.lock():
            Training.ready(data, {}, run, make_fabric(config)).fit(stop)
    except KeyboardInterrupt:
        return
    raise AssertionError("the run was not interrupted")


def predictions(run: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(run.glob("predictions*"))]


def timed_run(folder: Path) -> RunConfig:
    """The base without text, with weights that were drawn: nothing is fetched."""
    weights = folder / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), weights)
    text = ucf101_gpu().model_dump(mode="json")
    text["inputs"]["visual"]["encoder"]["options"]["weights"] = str(weights)
    return RunConfig.model_validate_json(json.dumps({**text, "modalities": ["visual", "audio"]}))


def steps_batch(clips: int, frames: int = 16, side: int = 224, columns: int = 400) -> Batch:
    """Made-up clips of 4 s, all as long as each other."""
    generator = torch.Generator().manual_seed(0)

    def tokens(values: torch.Tensor) -> Tokens:
        there = torch.ones(values.shape[:2], dtype=torch.bool)
        return Tokens(
            values, there, (torch.arange(there.shape[1]) + 0.5).expand(clips, -1) * 4 / there.shape[1]
        )

    pictures = torch.randint(0, 256, (clips, frames, side, side, 3), generator=generator, dtype=torch.uint8)
    sound = 0.1 * torch.randn(clips, columns, 160, generator=generator)
    inputs = {"visual": tokens(pictures.movedim(4, 2)), "audio": tokens(sound)}
    return Batch(tuple(str(i) for i in range(clips)), inputs, torch.zeros(clips, dtype=torch.long))


def speed(config: RunConfig, batch: Batch, **compiler: Any) -> dict[str, Any]:
    """Clips a second of a step, as written and compiled; what could not be compiled, and why."""
    fabric = make_fabric(config)
    model = build_model(config, 101)
    net = fabric.setup(model)
    batch = batch.to(fabric.device)
    found: dict[str, Any] = {"clips a second, as written": clips_a_second(net, batch, fabric)}
    found["not compiled"] = compile_parts(model, lambda: step_ms(net, batch, fabric), **compiler)
    found["clips a second, compiled"] = clips_a_second(net, batch, fabric)
    return found


def fed_run(config: RunConfig, manifest: str, folder: Path, **changes: Any) -> RunConfig:
    """The same over stored clips of as many frames as the made-up ones."""
    data = {"manifest": manifest, "store": str(folder / "fed"), "frame_rate": 16.0, "max_seconds": 1.0}
    workers = changes.pop("workers", os.cpu_count() or 1)
    given = {
        "data": config.data.model_copy(update=data),
        "runtime": config.runtime.model_copy(update={"loader_workers": workers}),
    }
    return config.model_copy(update={**given, **changes})


def feeding(config: RunConfig) -> dict[str, Any]:
    """Clips a second of an epoch that is only read, and of one that is trained on, compiled."""
    data, fabric = RunData.open(config), make_fabric(config)
    model = build_model(config, data.outputs, data.told)
    net, optimizer = fabric.setup(model, make_optimizer(model, config.train))
    net.train()
    clips = (data.dataset("train", training=True), data.dataset("val"))
    loader = SplitLoader(
        *clips,
        batch_size=config.train.batch_size,
        seed=0,
        workers=config.runtime.loader_workers,
        pad_to=data.pad_to,
    )

    def train(batch: Batch) -> None:
        fabric.backward(torch.nn.functional.cross_entropy(net(batch).logits, batch.labels))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def epoch(number: int, step: Callable[[Batch], object]) -> float:
        began = time.perf_counter()
        for batch in on_device(loader.train_batches(number), fabric.device):
            step(batch)
        if fabric.device.type == "cuda":
            torch.cuda.synchronize(fabric.device)
        return round(len(clips[0]) / (time.perf_counter() - began), 1)

    if config.train.compile:
        example = next(iter(on_device(loader.train_batches(1), fabric.device)))
        compile_parts(model, lambda: train(example))
    epoch(2, train)  # begins the processes, and compiles for the last, smaller batch
    return {
        "clips a second, read": epoch(3, len),
        "clips a second, trained from the store": epoch(4, train),
    }


def clips_a_second(net: Any, batch: Batch, fabric: Fabric) -> float:
    return round(1000 * len(batch) / step_ms(net, batch, fabric), 1)


def shortfalls(findings: dict[str, Any]) -> list[str]:
    """What fell short, a sentence each."""
    short = [] if findings["resumes to the same predictions"] else ["a resumed run predicts something else"]
    short += [f"{part} is not compiled: {why}" for part, why in findings["not compiled"].items()]
    for way, bar in BARS.items():
        if (value := findings[f"clips a second, {way}"]) < bar:
            short.append(f"{value:g} clips a second {way}, where {bar:g} are asked for")
    for way, share in FED.items():
        value, step = (findings[f"clips a second, {name}"] for name in (way, "compiled"))
        if value < share * step:
            short.append(
                f"{value:g} clips a second {way}, where {share:g} times the step's {step:g} are asked"
            )
    return short


def report(findings: dict[str, Any], card: str, seconds: float, out: Path) -> int:
    """Write the findings, say what fell short, and tell the exit status."""
    short = shortfalls(findings)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{re.sub('[^a-z0-9]+', '-', card.lower()).strip('-')}.json"
    record = {"card": card, "torch": torch.__version__, "seconds": round(seconds, 1)}
    path.write_text(json.dumps({**record, **findings, "short": short}, indent=1) + "\n")
    print(f"{path}: " + ("nothing fell short" if not short else "; ".join(short)))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
