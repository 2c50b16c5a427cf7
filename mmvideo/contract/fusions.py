"""What every fusion promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

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
    presence_patterns,
    without_dropout,
)
from mmvideo.fusion.base import Fusion
from mmvideo.types import Features, FusionOutput, Tokens
from mmvideo.vocabulary import LEVELS

WIDTH = 16
LENGTHS = {"visual": 4, "audio": 7, "text": 5}
LARGE_BATCH = 128
"""Clips of a batch that is no smaller than those of training usually are."""
OTHER_LENGTH = 6
"""Tokens of a modality of any other name."""

Make = Callable[[], Fusion]
Draw = dict[str, Features]
FREE_OF_GRADIENT = ("key_value.bias",)  # a key's bias shifts all scores of a query alike: softmax ignores it


def draw(modalities: Sequence[str], present: Tensor, seed: int = 0, width: int = WIDTH) -> Draw:
    """Random features: different real lengths within 1 s, padding zeroed, absent modalities all masked."""
    generator = torch.Generator().manual_seed(1000 + seed)  # not the weights' seed: no vector equals a weight

    def tokens(length: int, here: Tensor) -> Tokens:
        real = torch.randint(2, length + 1, (len(here), 1), generator=generator)
        mask = (torch.arange(length)[None] < real) & here[:, None]
        values = torch.randn(len(here), length, width, generator=generator) * mask[..., None]
        time = (torch.arange(length) + 0.5) / length * mask
        return Tokens(values, mask, time)

    made = {}
    for column, name in enumerate(modalities):
        here, length = present[:, column], LENGTHS.get(name, OTHER_LENGTH)
        clip = torch.randn(len(here), width, generator=generator) * here[:, None]
        made[name] = Features(here, tokens(length, here), tokens(length + 1, here), clip)
    return made


def edited(
    features: Draw,
    tokens: Callable[[Tokens], Tokens],
    clip: Callable[[Tensor, Tensor], Tensor] = lambda vectors, present: vectors,
) -> Draw:
    """The features with each level of tokens, and each clip vector (also given presence), edited."""

    def of(part: Features) -> Features:
        assert part.stem is not None and part.trunk is not None and part.clip is not None  # noqa: PT018
        return replace(
            part, stem=tokens(part.stem), trunk=tokens(part.trunk), clip=clip(part.clip, part.present)
        )

    return {name: of(part) for name, part in features.items()}


def prepare(make: Make, training: bool, seed: int = 0) -> Fusion:
    """A fresh fusion in the wanted mode, its dropout switched off so that outputs can be compared."""
    torch.manual_seed(seed)
    fusion = without_dropout(make(), training=training)
    assert isinstance(fusion, Fusion)
    return fusion


def every_presence(fusion: Fusion, repeats: int = 1) -> Draw:
    """A batch with every pattern of present modalities."""
    patterns = presence_patterns(len(fusion.modalities)).repeat(repeats, 1)
    return draw(fusion.modalities, patterns, width=fusion.width)


def run(fusion: Fusion, features: Mapping[str, Features]) -> FusionOutput:
    with torch.set_grad_enabled(fusion.training):
        out: FusionOutput = fusion(features)
    return out


def pooled(fusion: Fusion, features: Mapping[str, Features]) -> Tensor:
    return run(fusion, features).pooled


def shape_and_dtype(make: Make, training: bool) -> None:
    """Gives one vector of its width per clip in float32, and diagnostics (B, k) that carry no gradient."""
    fusion = prepare(make, training)
    everything = torch.ones(3, len(fusion.modalities), dtype=torch.bool)
    out = run(fusion, draw(fusion.modalities, everything, width=fusion.width))
    shape = tuple(out.pooled.shape)
    ensure(shape == (3, fusion.width), f"of 3 clips at width {fusion.width}, the output is {shape}")
    ensure(out.pooled.dtype == torch.float32, f"the output is {out.pooled.dtype}")
    for name, values in out.diagnostics.items():
        shape = tuple(values.shape)
        ensure(len(shape) == 2 and shape[0] == 3, f"of 3 clips, diagnostic '{name}' is {shape}")
        ensure(not values.requires_grad, f"diagnostic '{name}' carries a gradient; detach it")


def reads_the_levels_it_names(make: Make, training: bool) -> None:
    """It names levels that encoders have, stem, trunk or clip, and reads no others."""
    fusion = prepare(make, training)
    named = type(fusion).levels_read(fusion.config)
    real = isinstance(named, frozenset) and named <= set(LEVELS)
    ensure(real, f"it reads {named!r}; name some of {', '.join(LEVELS)}, in a frozenset")
    features = every_presence(fusion)
    left_out: dict[str, Any] = dict.fromkeys(set(LEVELS) - named)
    given = {name: replace(part, **left_out) for name, part in features.items()}
    ensure_same(pooled(fusion, given), pooled(fusion, features), "without the levels that it does not name")


def padding_changes_nothing(make: Make, training: bool) -> None:
    """What stands in padding, or in place of an absent modality, changes nothing."""
    fusion = prepare(make, training)
    features = every_presence(fusion)
    other = edited(features, poisoned, lambda clip, here: torch.where(here[:, None], clip, 1e4))
    ensure_same(pooled(fusion, other), pooled(fusion, features), "with other numbers in the padding")


def longer_padding_changes_nothing(make: Make, training: bool) -> None:
    """Longer padding changes nothing."""
    fusion = prepare(make, training)
    features = every_presence(fusion)
    longer = edited(features, lengthened)
    ensure_same(pooled(fusion, longer), pooled(fusion, features), "with longer padding")


def alone_is_as_in_a_batch(make: Make, training: bool) -> None:
    """A clip alone gives what it gives in a batch: nothing crosses clips."""
    fusion = prepare(make, training)
    patterns = 2 ** len(fusion.modalities)
    features = every_presence(fusion, LARGE_BATCH // patterns)
    together = pooled(fusion, features)
    for row in range(patterns):
        rows = slice(row, row + 1)
        alone = edited(features, lambda t, row=row: one_row(t, row), lambda clip, _, rows=rows: clip[rows])  # type: ignore[misc]
        alone = {name: replace(part, present=part.present[rows]) for name, part in alone.items()}
        ensure_same(pooled(fusion, alone)[0], together[row], "alone instead of in a batch")


def mapping_order_changes_nothing(make: Make, training: bool) -> None:
    """The order in which the mapping holds the modalities changes nothing."""
    fusion = prepare(make, training)
    features = every_presence(fusion)
    backwards = dict(reversed(list(features.items())))
    ensure_same(
        pooled(fusion, backwards), pooled(fusion, features), "with the mapping in another order", exactly=True
    )


def finite_for_every_presence(make: Make, training: bool) -> None:
    """Output and gradients are finite whichever modalities are present, none included."""
    fusion = prepare(make, training)
    for present in presence_patterns(len(fusion.modalities)):  # each alone: no batch-mate can lend it a key
        out = pooled(fusion, draw(fusion.modalities, present[None], width=fusion.width))
        if training:
            fusion.zero_grad()
            out.square().sum().backward()
        there = [name for name, here in zip(fusion.modalities, present.tolist(), strict=True) if here]
        ensure_finite(out, fusion, f"where {' and '.join(there) or 'nothing'} is present")


def reacts_to_each_modality(make: Make, training: bool) -> None:
    """The output reacts to what each modality says, and to its absence."""
    fusion = prepare(make, training)
    everything = torch.ones(4, len(fusion.modalities), dtype=torch.bool)
    features = draw(fusion.modalities, everything, width=fusion.width)
    other = draw(fusion.modalities, everything, seed=1, width=fusion.width)
    before = pooled(fusion, features)
    for name in fusion.modalities:
        moved = pooled(fusion, features | {name: other[name]}) - before
        ensure((moved.abs().amax(dim=1) > 1e-4).all(), f"it is deaf to {name}")
        gone = draw([name], torch.zeros(4, 1, dtype=torch.bool), width=fusion.width)[name]
        missing = pooled(fusion, features | {name: gone}) - before
        ensure((missing.abs().amax(dim=1) > 1e-4).all(), f"it does not notice that {name} is missing")


def every_parameter_gets_gradient(make: Make, training: bool) -> None:
    """Every parameter gets a gradient, in each of its rows."""
    fusion = prepare(make, training)
    with torch.enable_grad():
        weights = torch.randn(fusion.width, generator=torch.Generator().manual_seed(3))
        (fusion(every_presence(fusion, 4)).pooled @ weights).square().sum().backward()
    ensure_moved(fusion, FREE_OF_GRADIENT)


def every_trained_tensor_is_registered(make: Make, training: bool) -> None:
    """All that is trained is registered: a tensor in a plain list is neither optimised nor saved."""
    fusion = prepare(make, training)
    with torch.enable_grad():
        ensure_registered(fusion, [fusion(every_presence(fusion)).pooled])


def state_survives_a_round_trip(make: Make, training: bool) -> None:
    """Weights are drawn by torch's generator, and a copy with the same state gives the same output."""
    fusion, twin = prepare(make, training), prepare(make, training, seed=99)
    features = every_presence(fusion)
    expected = pooled(fusion, features)
    ensure(not torch.allclose(pooled(twin, features), expected), "another seed gives the same output")
    twin.load_state_dict(fusion.state_dict())
    ensure_same(pooled(twin, features), expected, "of a copy with the same state", exactly=True)


def same_twice(make: Make, training: bool) -> None:
    """The same clips give the same output twice."""
    fusion = prepare(make, training)
    features = every_presence(fusion)
    ensure_same(pooled(fusion, features), pooled(fusion, features), "the second time", exactly=True)


def finite_in_bfloat16(make: Make, training: bool) -> None:
    """Under bfloat16 autocast all stays finite, and the output close."""
    fusion = prepare(make, training)
    features = every_presence(fusion)
    halved = edited(
        features, lambda t: t.replace_values(t.values.bfloat16()), lambda clip, _: clip.bfloat16()
    )
    exact = pooled(fusion, features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = pooled(fusion, halved)
    if training:
        out.float().square().sum().backward()
    ensure_finite(out, fusion, "in bfloat16")
    off = (out - exact).abs().mean()
    ensure(off < 0.05 * exact.abs().mean() + 0.01, f"in bfloat16, the output differs by {off:.2g} on average")


CONTRACT: tuple[Callable[[Make, bool], None], ...] = (
    shape_and_dtype,
    reads_the_levels_it_names,
    padding_changes_nothing,
    longer_padding_changes_nothing,
    alone_is_as_in_a_batch,
    mapping_order_changes_nothing,
    finite_for_every_presence,
    reacts_to_each_modality,
    every_parameter_gets_gradient,
    every_trained_tensor_is_registered,
    state_survives_a_round_trip,
    same_twice,
    finite_in_bfloat16,
)
OF_SEVERAL = (every_parameter_gets_gradient,)
"""Promises that `mmvideo check` asks of no fusion of one modality, where weights over modalities are
constant; a study trains one modality by the fusion `single`."""
