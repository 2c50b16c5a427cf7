"""What every fusion promises, as functions that raise AssertionError; tests run them over the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from mmvideo.fusion import Fusion
from mmvideo.types import Features, Tokens

WIDTH = 16
LENGTHS = {"visual": 4, "audio": 7, "text": 5, "depth": 6}  # the last is nobody's: a fourth modality
Make = Callable[[], Fusion]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def patterns(count: int) -> Tensor:
    """All 2^M presence patterns, (2^M, M)."""
    return torch.tensor(list(product((True, False), repeat=count)))


def draw(modalities: Sequence[str], present: Tensor, seed: int = 0) -> dict[str, Features]:
    """Random features: different real lengths within 1 s, padding zeroed, absent modalities all masked."""
    generator = torch.Generator().manual_seed(1000 + seed)  # not the weights' seed: no vector equals a weight

    def tokens(length: int, here: Tensor) -> Tokens:
        real = torch.randint(2, length + 1, (len(here), 1), generator=generator)
        mask = (torch.arange(length)[None] < real) & here[:, None]
        values = torch.randn(len(here), length, WIDTH, generator=generator) * mask[..., None]
        time = (torch.arange(length) + 0.5) / length * mask
        return Tokens(values, mask, time)

    made = {}
    for column, name in enumerate(modalities):
        here = present[:, column]
        clip = torch.randn(len(here), WIDTH, generator=generator) * here[:, None]
        made[name] = Features(here, tokens(LENGTHS[name], here), tokens(LENGTHS[name] + 1, here), clip)
    return made


def change(
    features: dict[str, Features], edit: Callable[[Tokens | Tensor, Tensor], Tokens | Tensor]
) -> dict[str, Features]:
    """The features with `edit(part, present)` applied to every level."""
    return {
        name: Features(f.present, edit(f.stem, f.present), edit(f.trunk, f.present), edit(f.clip, f.present))
        for name, f in features.items()
    }


def prepare(make: Make, training: bool) -> Fusion:
    """A fresh fusion in the wanted mode, its dropout switched off so that outputs can be compared."""
    torch.manual_seed(0)
    fusion = make()
    for module in fusion.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return fusion.train(training)


def pooled(fusion: Fusion, features: dict[str, Features]) -> Tensor:
    with torch.set_grad_enabled(fusion.training):
        return fusion(features).pooled


def shape_and_dtype(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    out = pooled(fusion, draw(fusion.modalities, torch.ones(3, len(fusion.modalities), dtype=torch.bool)))
    assert out.shape == (3, WIDTH)
    assert out.dtype == torch.float32


def padding_changes_nothing(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))

    def poison(part: Tokens | Tensor, present: Tensor) -> Tokens | Tensor:
        if isinstance(part, Tokens):
            garbage = torch.full_like(part.values, 1e4)
            return Tokens(
                torch.where(part.mask[..., None], part.values, garbage),
                part.mask,
                torch.where(part.mask, part.time, 77.0),
            )
        return torch.where(present[:, None], part, torch.full_like(part, 1e4))

    torch.testing.assert_close(pooled(fusion, change(features, poison)), pooled(fusion, features), **CLOSE)


def longer_padding_changes_nothing(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))

    def lengthen(part: Tokens | Tensor, present: Tensor) -> Tokens | Tensor:
        if not isinstance(part, Tokens):
            return part
        pad = nn.functional.pad
        return Tokens(pad(part.values, (0, 0, 0, 6)), pad(part.mask, (0, 6)), pad(part.time, (0, 6)))

    torch.testing.assert_close(pooled(fusion, change(features, lengthen)), pooled(fusion, features), **CLOSE)


def alone_is_as_in_a_batch(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))
    together = pooled(fusion, features)
    for row in range(len(together)):

        def only(part: Tokens | Tensor, present: Tensor, row: int = row) -> Tokens | Tensor:
            if isinstance(part, Tokens):
                return Tokens(part.values[row : row + 1], part.mask[row : row + 1], part.time[row : row + 1])
            return part[row : row + 1]

        alone = {
            name: Features(
                f.present[row : row + 1],
                only(f.stem, f.present),
                only(f.trunk, f.present),
                only(f.clip, f.present),
            )
            for name, f in features.items()
        }
        torch.testing.assert_close(pooled(fusion, alone)[0], together[row], **CLOSE)


def mapping_order_changes_nothing(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))
    backwards = dict(reversed(list(features.items())))
    torch.testing.assert_close(pooled(fusion, backwards), pooled(fusion, features), rtol=0, atol=0)


def finite_for_every_presence(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    for present in patterns(len(fusion.modalities)):  # each alone: no batch-mate can lend it a key
        out = pooled(fusion, draw(fusion.modalities, present[None]))
        assert out.isfinite().all(), present
        if training:
            fusion.zero_grad()
            out.square().sum().backward()
            assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters()), present


def reacts_to_each_modality(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    count = len(fusion.modalities)
    everything = torch.ones(4, count, dtype=torch.bool)
    features = draw(fusion.modalities, everything)
    other = draw(fusion.modalities, everything, seed=1)
    before = pooled(fusion, features)
    for name in fusion.modalities:
        moved = pooled(fusion, features | {name: other[name]}) - before
        assert (moved.abs().amax(dim=1) > 1e-4).all(), f"deaf to {name}"
        gone = draw([name], torch.zeros(4, 1, dtype=torch.bool))[name]
        missing = pooled(fusion, features | {name: gone}) - before
        assert (missing.abs().amax(dim=1) > 1e-4).all(), f"does not notice that {name} is missing"


def every_parameter_gets_gradient(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)).repeat(4, 1))
    with torch.enable_grad():
        weights = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
        (fusion(features).pooled @ weights).square().sum().backward()
    assert [name for name, p in fusion.named_parameters() if p.grad is None] == []
    strongest = max(p.grad.abs().max() for p in fusion.parameters())

    def moved(gradient: Tensor) -> bool:
        """A matrix is moved if each of its rows is, so that no part of a joint projection stands idle."""
        rows = gradient.flatten(1) if gradient.dim() > 1 else gradient.flatten()[None]
        return bool((rows.abs().amax(dim=1) > 1e-9 * strongest).all())

    idle = [name for name, p in fusion.named_parameters() if not moved(p.grad)]
    # A key's bias shifts all scores of a query alike, so softmax takes no notice of it.
    assert [name for name in idle if not name.endswith("key_value.bias")] == []


def every_trained_tensor_is_registered(make: Make, training: bool) -> None:
    """What gradients flow to is a parameter: a factor in a plain list is neither optimised nor saved."""
    fusion = prepare(make, training)
    with torch.enable_grad():
        node = fusion(draw(fusion.modalities, patterns(len(fusion.modalities)))).pooled.grad_fn
    known = {id(parameter) for parameter in fusion.parameters()}
    seen, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # a leaf
            assert id(node.variable) in known, f"not registered: a tensor {tuple(node.variable.shape)}"
        waiting += [after for after, _ in node.next_functions]
    saved = set(fusion.state_dict())
    assert {name for name, _ in fusion.named_parameters()} <= saved


def state_survives_a_round_trip(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))
    torch.manual_seed(99)
    twin = make().train(training)
    for module in twin.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert not torch.allclose(pooled(twin, features), pooled(fusion, features)), (
        "weights do not depend on the seed"
    )
    twin.load_state_dict(fusion.state_dict())
    torch.testing.assert_close(pooled(twin, features), pooled(fusion, features), rtol=0, atol=0)


def same_twice(make: Make, training: bool) -> None:
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))
    torch.testing.assert_close(pooled(fusion, features), pooled(fusion, features), rtol=0, atol=0)


def finite_in_bfloat16(make: Make, training: bool) -> None:
    """Mixed precision: under autocast, on features in bfloat16, all stays finite, and the output close."""
    fusion = prepare(make, training)
    features = draw(fusion.modalities, patterns(len(fusion.modalities)))

    def halve(part: Tokens | Tensor, present: Tensor) -> Tokens | Tensor:
        return part.replace_values(part.values.bfloat16()) if isinstance(part, Tokens) else part.bfloat16()

    exact = pooled(fusion, features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = pooled(fusion, change(features, halve))
    assert out.isfinite().all()
    assert (out - exact).abs().mean() < 0.05 * exact.abs().mean() + 0.01
    if training:
        out.float().square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


CONTRACT: tuple[Callable[[Make, bool], None], ...] = (
    shape_and_dtype,
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
