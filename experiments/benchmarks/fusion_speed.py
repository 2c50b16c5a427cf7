"""How fast the fusions train: against the papers' formulas written out, and against each other.

    python experiments/benchmarks/fusion_speed.py                       # all of it
    python experiments/benchmarks/fusion_speed.py --fusions mult --widths 64 --tokens 50 200 --threads 1

A step is forward and backward of one batch with three modalities, without encoders and optimiser, gradients
cleared before it. Clips have between half and all of the tokens. The two versions of a fusion have the same
weights, and their outputs are checked to agree before anything is timed; they then take turns, and the table
shows medians and the median of the turns' ratios, so that a machine busy with other work slows down both.
With one thread, `--clock cpu` leaves that work out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from straightforward import STRAIGHTFORWARD, straightforward
from torch import Tensor

from mmvideo.components import FUSIONS, FusionChoice
from mmvideo.fusion import Fusion
from mmvideo.report.costs import COSTLY
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import MODALITIES

Step = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def draw(batch: int, tokens: int, width: int) -> dict[str, Features]:
    """Random features of three modalities: every level, `tokens` / 2 to `tokens` real tokens a clip, 4 s."""
    generator = torch.Generator().manual_seed(0)
    features: dict[str, Features] = {}
    for modality in MODALITIES:
        lengths = torch.randint(tokens // 2, tokens + 1, (batch, 1), generator=generator)
        lengths[0] = tokens
        mask = torch.arange(tokens)[None] < lengths
        times = (torch.arange(tokens) + 0.5) * 4 / tokens * mask

        def sequence(mask: Tensor = mask, times: Tensor = times) -> Tokens:
            values = torch.randn(batch, tokens, width, generator=generator)
            return Tokens((values * mask[..., None]).requires_grad_(), mask, times)

        clip = torch.randn(batch, width, generator=generator).requires_grad_()
        features[modality] = Features(torch.ones(batch, dtype=torch.bool), sequence(), sequence(), clip)
    return features


def make(name: str, width: int, own: Mapping[str, int] | None = None) -> Fusion:
    """A fusion in training mode, without dropout: its outputs can be compared. `own`: options of its own."""
    torch.manual_seed(0)
    modalities = MODALITIES[:1] if name == "single" else MODALITIES
    fusion: Fusion = FusionChoice.of(name, **dict(own or {})).build(modalities, width)
    for module in fusion.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return fusion


def stepper(
    module: torch.nn.Module, forward: Callable[[dict[str, Features]], Tensor], features: dict[str, Features]
) -> Step:
    """Forward and backward; gradients of weights and inputs are new each time, as after `zero_grad`."""
    tokens = [part.values for f in features.values() for part in (f.stem, f.trunk) if part is not None]
    clips = [f.clip for f in features.values() if f.clip is not None]
    leaves = [*module.parameters(), *tokens, *clips]

    def step() -> None:
        for leaf in leaves:
            leaf.grad = None
        forward(features).square().sum().backward()

    return step


def take_turns(steps: Sequence[Step], repeats: int, clock: str) -> list[list[float]]:
    """Milliseconds of each step, `repeats` times in turn, after one turn that does not count."""
    taken: list[list[float]] = [[] for _ in steps]
    for turn in range(repeats + 1):
        for step, times in zip(steps, taken, strict=True):
            start = CLOCKS[clock]()
            step()
            if turn:
                times.append((CLOCKS[clock]() - start) * 1e3)
    return taken


def compare(name: str, width: int, tokens: int, options: argparse.Namespace) -> tuple[float, float, float]:
    """Median ms of a step written out and of the library's, and the median ratio of the two.

    Raises:
        AssertionError: the two do not compute the same.
    """
    own = {name: int(value) for name, value in options.option}
    fusion, features = make(name, width, own), draw(options.batch, tokens, width)
    plain = straightforward(name, fusion)
    with torch.no_grad():
        torch.testing.assert_close(plain(features), fusion(features).pooled, rtol=1e-3, atol=1e-4)

    steps = [stepper(plain, plain, features), stepper(fusion, lambda x: fusion(x).pooled, features)]
    slow, fast = take_turns(steps, options.repeats, options.clock)
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return statistics.median(slow), statistics.median(fast), statistics.median(ratios)


def compare_all(options: argparse.Namespace) -> None:
    """Print the table of fusions against their straightforward twins."""
    print("fusion      width  tokens  threads   written out ms   mmvideo ms   ratio", flush=True)
    for name in options.fusions:
        for width in options.widths:
            for tokens in options.tokens:
                for threads in options.threads:
                    torch.set_num_threads(threads)
                    slow, fast, ratio = compare(name, width, tokens, options)
                    print(
                        f"{name:<12}{width:>5}{tokens:>8}{threads:>9}{slow:>17.1f}{fast:>13.1f}{ratio:>8.2f}",
                        flush=True,
                    )


def rank_all(options: argparse.Namespace) -> None:
    """Print every registered fusion's step time and size, at the first width and number of tokens given."""
    width, tokens = options.widths[0], options.tokens[0]
    torch.set_num_threads(options.threads[0])
    features = draw(options.batch, tokens, width)

    def pooled(fusion: Fusion) -> Callable[[dict[str, Features]], Tensor]:
        return lambda features: fusion(features).pooled

    fusions = {name: make(name, width) for name in FUSIONS}
    steps = [stepper(fusion, pooled(fusion), features) for fusion in fusions.values()]
    taken = take_turns(steps, options.repeats, options.clock)
    print(
        f"\nwidth {width}, {tokens} tokens a modality, batch {options.batch}, {options.threads[0]} thread(s)"
    )
    print("fusion               step ms   parameters", flush=True)
    medians = {name: statistics.median(times) for name, times in zip(fusions, taken, strict=True)}
    ranked = sorted(medians, key=lambda name: medians[name])
    for name in ranked:
        size = sum(p.numel() for p in fusions[name].parameters())
        print(f"{name:<18}{medians[name]:>10.1f}{size:>13,}", flush=True)
    cheapest = next(name for name in ranked if name != "single")
    print(f"\nMore than {COSTLY:g} times {cheapest}:")
    for name in ranked:
        times = medians[name] / medians[cheapest]
        if times > COSTLY:
            print(f"{name:<18}{times:>9.1f}x  {fusions[name].cost}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fusions", nargs="*", choices=list(STRAIGHTFORWARD), default=list(STRAIGHTFORWARD))
    parser.add_argument("--widths", nargs="+", type=int, default=[64, 256])
    parser.add_argument("--tokens", nargs="+", type=int, default=[50, 200, 500], help="tokens a modality")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--option",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="of the compared fusions, as --fusions tensor --option rank_width 64",
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="cpu: of the process, steadier on a busy machine",
    )
    options = parser.parse_args(arguments)
    compare_all(options)
    rank_all(options)


if __name__ == "__main__":
    main()
