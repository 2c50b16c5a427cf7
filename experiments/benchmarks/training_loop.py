"""What our training loop costs beside a bare one: a run's training against twelve lines of PyTorch.

    python experiments/benchmarks/training_loop.py [--base planted] [--fusion late] [--epochs 1] [--rounds 5]

Both train the same model, with the same first weights, on the same samples in the same order, and validate
after each epoch; the bare loop knows no device, checkpoint, log, finite check, schedule or diagnosis. They
take turns, on one thread, and each turn's first one alternates. The table has the medians over the rounds of
process time, and of the rounds' ratios with their least and greatest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.data.loading import epoch_order, in_batches
from mmvideo.data.run_data import RunData
from mmvideo.runs.assembly import make_fabric
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.training import Training

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import bases


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="planted", help="a function of experiments/bases.py")
    parser.add_argument("--manifest", help="the base's own if not given")
    parser.add_argument("--fusion", default="late")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    make = getattr(bases, options.base)
    config = make(options.manifest) if options.manifest else make()
    config = _changed(config, options.fusion, options.epochs)
    quiet = config.model_copy(update={"train": config.train.model_copy(update={"diagnostics": False})})
    data = RunData.open(config, progress=True)
    ways: dict[str, Callable[[Path], float]] = {
        "a bare loop": lambda scratch: bare(data, scratch),
        "ours": lambda scratch: ours(RunData.over(quiet, data.source, {}), scratch),
        "ours, with diagnostics (the default)": lambda scratch: ours(data, scratch),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.rounds + 1):
        for name in list(ways) if turn % 2 else list(ways)[::-1]:
            with tempfile.TemporaryDirectory() as scratch:
                took = ways[name](Path(scratch))
            if turn:  # the first warms caches up
                times[name].append(took)
    report(times, len(data.clips("train")) * options.epochs)


def _changed(config: RunConfig, fusion: str, epochs: int) -> RunConfig:
    """The base with this fusion for so many epochs, all of them."""
    train = {"epochs": epochs, "least_steps": 0, "select": "last"}
    return config.model_copy(
        update={
            "fusion": FusionChoice.of(fusion),
            "train": config.train.model_copy(update=train),
            "runtime": config.runtime.model_copy(update={"device": "cpu"}),
        }
    )


def ours(data: RunData, scratch: Path) -> float:
    """Process seconds of a run's training, its checkpoints and lines of metrics written."""
    training = _ready(data, scratch)
    began = time.process_time()
    training.fit()
    return time.process_time() - began


def bare(data: RunData, scratch: Path) -> float:
    """The same with nothing but the model, its optimiser and the loss."""
    model, train = _ready(data, scratch).model, data.config.train
    shown, held_out = data.dataset("train", training=True), data.dataset("val")
    began = time.process_time()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay, fused=True
    )
    for epoch in range(1, train.epochs + 1):
        model.train()
        order = epoch_order(len(shown), data.config.seed, epoch)
        for batch in in_batches(shown, train.batch_size, order=order):
            loss = nn.functional.cross_entropy(model(batch).logits, batch.labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), train.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
        model.eval()
        right = 0
        with torch.no_grad():
            for batch in in_batches(held_out, train.batch_size):
                right += int((model(batch).logits.argmax(dim=1) == batch.labels).sum())
    return time.process_time() - began


def _ready(data: RunData, scratch: Path) -> Training:
    run = RunDirectory.create(scratch, data.config, data.fingerprint)
    return Training.ready(data, {}, run, make_fabric(data.config))


def report(times: dict[str, list[float]], clips: int) -> None:
    """Print the table; ratios are to the first way."""
    first, *_ = times.values()
    print(f"{len(first)} rounds of {clips} clips; process time, median [least, greatest]")
    print(f"{'':<38}{'ms a clip':>10}  ratio to the bare loop")
    for name, values in times.items():
        ratios = [value / base for value, base in zip(values, first, strict=True)]
        middle = 1000 * statistics.median(values) / clips
        ratio = f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"
        print(f"{name:<38}{middle:10.2f}  {ratio}")


if __name__ == "__main__":
    main()
