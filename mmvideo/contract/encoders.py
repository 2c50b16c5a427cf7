"""What every encoder promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmvideo.contract.promises import (
    ensure,
    ensure_finite,
    ensure_moved,
    ensure_registered,
    ensure_same,
    lengthened,
    one_row,
    poisoned,
    without_dropout,
)
from mmvideo.encoders.base import Encoder
from mmvideo.types import Features, Tokens
from mmvideo.vocabulary import LEVELS, Level

LENGTHS = (9, 0, 4, 1, 13, 9)
"""Real items of the clips that encoders are tried on; the second lacks the modality."""
COPIES = 6
"""How often these stand in a batch that is no smaller than those of training usually are."""
FREE_OF_GRADIENT = ("key.bias", "key_value.bias")  # it shifts all scores of a query alike: softmax ignores it


@dataclass(frozen=True)
class Case:
    """An encoder to be tried.

    Args:
        make: builds it in some width D with the levels given.
        draw: items of one clip after another: (how many in all, seed) → values (N, ...), as its kind of
            modality gives them.
    """

    make: Callable[[frozenset[Level]], Encoder]
    draw: Callable[[int, int], Tensor]

    def prepare(self, training: bool, seed: int = 0, levels: frozenset[Level] = frozenset(LEVELS)) -> Encoder:
        """A fresh encoder in the wanted mode, its dropout switched off so that outputs can be compared."""
        torch.manual_seed(seed)
        encoder = without_dropout(self.make(levels), training=training)
        assert isinstance(encoder, Encoder)
        return encoder

    def inputs(self, seed: int = 0) -> Tokens:
        """Clips of several lengths, zeros in the padding; items 0.1 s apart."""
        longest = max(LENGTHS)
        mask = torch.arange(longest)[None] < torch.tensor(LENGTHS)[:, None]
        drawn = self.draw(mask.numel(), seed).unflatten(0, tuple(mask.shape))
        values = drawn.masked_fill(~mask.view(*mask.shape, *[1] * (drawn.ndim - 2)), 0)
        return Tokens(values, mask, (torch.arange(longest) + 0.5) * 0.1 * mask)


def run(encoder: Encoder, inputs: Tokens) -> Features:
    with torch.set_grad_enabled(encoder.training):
        out: Features = encoder(inputs)
    return out


def tokens_of(features: Features) -> dict[str, Tokens]:
    return {name: part for name, part in (("stem", features.stem), ("trunk", features.trunk)) if part}


def ensure_same_features(found: Features, expected: Features, when: str, *, exactly: bool = False) -> None:
    """The same clip vectors, and the same tokens: equally many, of equal values and times."""
    for name, tokens in tokens_of(found).items():
        other = tokens_of(expected)[name]
        shared = min(tokens.mask.shape[1], other.mask.shape[1])
        ensure(
            torch.equal(tokens.mask.sum(dim=1), other.mask.sum(dim=1))
            and torch.equal(tokens.mask[:, :shared], other.mask[:, :shared]),
            f"{when}, {name} tokens are masked in another way",
        )
        real = other.mask[:, :shared]
        a, b = tokens.values[:, :shared][real], other.values[:, :shared][real]
        ensure_same(a, b, f"{when}, in the {name}", exactly=exactly)
        a, b = tokens.time[:, :shared][real], other.time[:, :shared][real]
        ensure_same(a, b, f"{when}, in the {name}'s times", exactly=exactly)
    assert found.clip is not None and expected.clip is not None  # noqa: PT018
    ensure_same(found.clip, expected.clip, f"{when}, in the clip vector", exactly=exactly)


def total(features: Features) -> Tensor:
    """A number that every level has a part in, each entry weighed in another way."""
    generator = torch.Generator().manual_seed(3)
    parts = [t.values for t in tokens_of(features).values()] + [c for c in (features.clip,) if c is not None]
    weighed = [(part.float() @ torch.randn(part.shape[-1], generator=generator)).square() for part in parts]
    return torch.stack([part.sum() for part in weighed]).sum()


def shapes_and_levels(case: Case, training: bool) -> None:
    """Each level that is asked for has the width D, in float32 and with masks and times; no other is made."""
    for levels in (frozenset(LEVELS), *(frozenset({level}) for level in LEVELS)):
        encoder = case.prepare(training, levels=levels)
        out, count = run(encoder, case.inputs()), len(LENGTHS)
        made = {level for level in LEVELS if getattr(out, level) is not None}
        ensure(made == levels, f"asked for {', '.join(sorted(levels))}, it gives {', '.join(sorted(made))}")
        for name, tokens in tokens_of(out).items():
            shape = tuple(tokens.values.shape)
            right = len(shape) == 3 and shape[0] == count and shape[2] == encoder.width
            ensure(right, f"of {count} clips at width {encoder.width}, the {name} is {shape}")
            ensure(tokens.values.dtype == torch.float32, f"the {name} is {tokens.values.dtype}")
            ensure(tokens.mask.shape == tokens.time.shape == shape[:2], f"the {name}'s mask or time differs")
        if out.clip is not None:
            ensure(out.clip.shape == (count, encoder.width), f"the clip vectors are {tuple(out.clip.shape)}")


def masks_and_times_are_consistent(case: Case, training: bool) -> None:
    """A clip has tokens if and only if it has the modality; real ones come first, in order of time."""
    inputs = case.inputs()
    out, there = run(case.prepare(training), inputs), inputs.mask.any(dim=1)
    ensure(torch.equal(out.present, there), "`present` is not what the input's mask says")
    last = inputs.time.amax(dim=1) + 0.1
    for name, tokens in tokens_of(out).items():
        ensure(torch.equal(tokens.mask.any(dim=1), there), f"a clip's {name} has no tokens, or an absent one")
        gaps = tokens.mask[:, 1:] > tokens.mask[:, :-1]
        ensure(not gaps.any(), f"in the {name}, padding stands before tokens")
        within = (tokens.time >= 0) & (tokens.time <= last[:, None])
        ensure((within | ~tokens.mask).all(), f"in the {name}, a time lies outside of the clip")
        ordered = (tokens.time.diff(dim=1) >= 0) | ~tokens.mask[:, 1:]
        ensure(ordered.all(), f"in the {name}, times are out of order")


def absent_clips_are_zeros(case: Case, training: bool) -> None:
    """A clip without the modality gives zeros, and padding holds zeros; all is finite, gradients too."""
    encoder = case.prepare(training)
    out = run(encoder, case.inputs())
    for name, tokens in tokens_of(out).items():
        ensure((tokens.values[~tokens.mask] == 0).all(), f"in the {name}, padding is not zero")
    assert out.clip is not None
    ensure((out.clip[~out.present] == 0).all(), "the clip vector of an absent clip is not zero")
    ensure_finite(out.clip, encoder, "with an absent clip in the batch")
    alone = run(encoder, one_row(case.inputs(), LENGTHS.index(0)))
    if training:
        (total(out) + total(alone)).backward()
    assert alone.clip is not None
    ensure_finite(alone.clip, encoder, "of an absent clip alone")


def padding_changes_nothing(case: Case, training: bool) -> None:
    """What stands in padding changes nothing."""
    encoder, inputs = case.prepare(training), case.inputs()
    found = run(encoder, poisoned(inputs))
    ensure_same_features(found, run(encoder, inputs), "with other numbers in the padding")


def longer_padding_changes_nothing(case: Case, training: bool) -> None:
    """Longer padding changes nothing."""
    encoder, inputs = case.prepare(training), case.inputs()
    for by in (1, 6):
        found = run(encoder, lengthened(inputs, by))
        ensure_same_features(found, run(encoder, inputs), f"with {by} more padded items")


def alone_is_as_in_a_batch(case: Case, training: bool) -> None:
    """A clip alone gives what it gives in a batch: nothing crosses clips."""
    encoder, inputs = case.prepare(training), case.inputs()
    copies = [torch.cat([part] * COPIES) for part in (inputs.values, inputs.mask, inputs.time)]
    together = run(encoder, Tokens(*copies))
    for row in range(len(LENGTHS)):
        assert together.stem is not None and together.trunk is not None and together.clip is not None  # noqa: PT018
        rows = slice(row, row + 1)
        stem, trunk = one_row(together.stem, row), one_row(together.trunk, row)
        expected = Features(together.present[rows], stem, trunk, together.clip[rows])
        ensure_same_features(run(encoder, one_row(inputs, row)), expected, "alone instead of in a batch")


def reacts_to_its_input(case: Case, training: bool) -> None:
    """Every present clip's vector depends on what the clip holds."""
    encoder = case.prepare(training)
    a, b = (run(encoder, case.inputs(seed)).clip for seed in (0, 1))
    assert a is not None and b is not None  # noqa: PT018
    there = torch.tensor(LENGTHS) > 0
    ensure(((a - b)[there].abs().amax(dim=1) > 1e-5).all(), "another clip gives the same vector")


def every_parameter_gets_gradient(case: Case, training: bool) -> None:
    """Every parameter that is to be trained gets a gradient."""
    encoder = case.prepare(training)
    with torch.enable_grad():
        total(encoder(case.inputs())).backward()
    ensure_moved(encoder, FREE_OF_GRADIENT, by_row=False)


def every_trained_tensor_is_registered(case: Case, training: bool) -> None:
    """All that is trained is registered: a tensor in a plain list is neither optimised nor saved."""
    encoder = case.prepare(training)
    with torch.enable_grad():
        ensure_registered(encoder, [total(encoder(case.inputs()))])


def state_survives_a_round_trip(case: Case, training: bool) -> None:
    """Weights are drawn by torch's generator, and a copy with the same state gives the same output."""
    encoder, twin = case.prepare(training), case.prepare(training, seed=99)
    inputs = case.inputs()
    expected = run(encoder, inputs)
    before = run(twin, inputs).clip
    assert before is not None and expected.clip is not None  # noqa: PT018
    ensure(not torch.allclose(before, expected.clip), "another seed gives the same output")
    twin.load_state_dict(encoder.state_dict())
    ensure_same_features(run(twin, inputs), expected, "of a copy with the same state", exactly=True)


def same_twice(case: Case, training: bool) -> None:
    """The same clips give the same output twice."""
    encoder, inputs = case.prepare(training), case.inputs()
    ensure_same_features(run(encoder, inputs), run(encoder, inputs), "the second time", exactly=True)


def finite_in_bfloat16(case: Case, training: bool) -> None:
    """Under bfloat16 autocast, output and gradients stay finite."""
    encoder = case.prepare(training)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = run(encoder, case.inputs())
    if training:
        total(out).backward()
    for tokens in tokens_of(out).values():
        ensure_finite(tokens.values, encoder, "in bfloat16")
    assert out.clip is not None
    ensure_finite(out.clip, encoder, "in bfloat16")


CONTRACT: tuple[Callable[[Case, bool], None], ...] = (
    shapes_and_levels,
    masks_and_times_are_consistent,
    absent_clips_are_zeros,
    padding_changes_nothing,
    longer_padding_changes_nothing,
    alone_is_as_in_a_batch,
    reacts_to_its_input,
    every_parameter_gets_gradient,
    every_trained_tensor_is_registered,
    state_survives_a_round_trip,
    same_twice,
    finite_in_bfloat16,
)
