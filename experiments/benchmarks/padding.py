"""What padding costs in a training epoch, and what batches of similar length save of it.

    python experiments/benchmarks/padding.py --tokens 50 200 --rounds 5

Made-up clips of three modalities whose lengths are uniform from 20 to 100 % of `--tokens`: either one length
for all modalities of a clip, as its duration gives, or each its own. An epoch is forward, backward and AdamW
over all clips, on one thread. The ways of batching take turns, and the table shows the medians of process
time and of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmvideo.components import FusionChoice
from mmvideo.fusion import Fusion
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import MODALITIES

WIDTH, BATCH = 64, 32
POOL = 8
"""Batches' worth of clips, in the epoch's random order, that are sorted by length before they are cut."""


def draw_lengths(clips: int, tokens: int, *, together: bool) -> Tensor:
    """Tokens of each clip's modalities, (clips, 3)."""
    generator = torch.Generator().manual_seed(0)
    columns = 1 if together else len(MODALITIES)
    drawn = torch.randint(tokens // 5, tokens + 1, (clips, columns), generator=generator)
    return drawn.expand(-1, len(MODALITIES))


def random_batches(lengths: Tensor, generator: torch.Generator) -> list[Tensor]:
    return list(torch.randperm(len(lengths), generator=generator).split(BATCH))


def bucketed_batches(lengths: Tensor, generator: torch.Generator) -> list[Tensor]:
    """Batches of similar length, in random order: each pool of clips is sorted by its total of tokens."""
    order = torch.randperm(len(lengths), generator=generator)
    pools = [pool[lengths[pool].sum(dim=1).argsort()] for pool in order.split(BATCH * POOL)]
    batches = [batch for pool in pools for batch in pool.split(BATCH)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def features(lengths: Tensor, generator: torch.Generator) -> dict[str, Features]:
    """A batch, padded to its longest clip in each modality."""
    made: dict[str, Features] = {}
    for column, modality in enumerate(MODALITIES):
        count = lengths[:, column]
        mask = torch.arange(int(count.max()))[None] < count[:, None]
        values = torch.randn(*mask.shape, WIDTH, generator=generator) * mask[..., None]
        time_ = (torch.arange(mask.shape[1]) + 0.5) / 25 * mask
        made[modality] = Features(mask.any(dim=1), trunk=Tokens(values.requires_grad_(), mask, time_))
    return made


def epoch(fusion: Fusion, lengths: Tensor, cut: Callable[[Tensor, torch.Generator], list[Tensor]]) -> float:
    """Seconds of process time; batches are made outside of what is timed."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(fusion.parameters(), fused=True)
    taken = 0.0
    for rows in cut(lengths, generator):
        batch = features(lengths[rows], generator)
        start = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        fusion(batch).pooled.square().mean().backward()
        optimizer.step()
        taken += time.process_time() - start
    return taken


def make(name: str) -> Fusion:
    torch.manual_seed(0)
    fusion: Fusion = FusionChoice.of(name).build(MODALITIES, WIDTH)
    return fusion


def measure(name: str, lengths: Tensor, rounds: int) -> tuple[float, float, float]:
    """Median seconds of an epoch of random and of bucketed batches, and the median of their ratios."""
    fusion = make(name)
    ways = (random_batches, bucketed_batches)
    taken = [[epoch(fusion, lengths, way) for way in ways] for _ in range(rounds + 1)][1:]
    plain, bucketed = (statistics.median(column) for column in zip(*taken, strict=True))
    return plain, bucketed, statistics.median(a / b for a, b in taken)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fusions", nargs="+", default=["mult", "co_attention", "bottleneck"])
    parser.add_argument("--tokens", nargs="+", type=int, default=[50, 200])
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{options.clips} clips, batches of {BATCH}, width {WIDTH}, n = {options.rounds} rounds")
    print("fusion        tokens  lengths      random s   bucketed s   ratio", flush=True)
    for name in options.fusions:
        for tokens in options.tokens:
            for together in (True, False):
                lengths = draw_lengths(options.clips, tokens, together=together)
                plain, bucketed, ratio = measure(name, lengths, options.rounds)
                kind = "one" if together else "each its own"
                row = f"{name:<14}{tokens:>6}  {kind:<12}{plain:>9.2f}{bucketed:>13.2f}{ratio:>8.2f}"
                print(row, flush=True)


if __name__ == "__main__":
    main()
