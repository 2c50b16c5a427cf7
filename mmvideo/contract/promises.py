"""What the promises of all kinds of components are told and checked with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from mmvideo.types import Tokens

GARBAGE = {torch.uint8: 200, torch.int64: 1}


def ensure(kept: bool | Tensor, otherwise: str) -> None:
    """Raises AssertionError with the message, unless the promise is kept; also where Python drops asserts."""
    if not bool(kept):
        raise AssertionError(otherwise)


def ensure_same(found: Tensor, expected: Tensor, when: str, *, exactly: bool = False) -> None:
    """Two outputs are the same, to rounding or exactly."""
    ensure(found.shape == expected.shape, f"{when}, the output is {tuple(found.shape)}")
    rtol, atol = (0.0, 0.0) if exactly else (1e-4, 1e-5)
    off = (found.float() - expected.float()).abs().max().item() if found.numel() else 0.0
    same = torch.allclose(found.float(), expected.float(), rtol=rtol, atol=atol)
    ensure(same, f"{when}, the output differs by up to {off:.2g}")


def ensure_finite(values: Tensor, module: nn.Module, when: str) -> None:
    """The output is finite, and so are all gradients there are."""
    ensure(values.isfinite().all(), f"{when}, the output is not finite")
    wrong = [n for n, p in module.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    ensure(not wrong, f"{when}, gradients are not finite: {', '.join(wrong)}")


def ensure_moved(module: nn.Module, ignored: Sequence[str] = (), *, by_row: bool = True) -> None:
    """Every parameter that is trained has a gradient.

    Args:
        ignored: ends of the names of parameters to which no gradient need flow.
        by_row: a matrix has one in each of its rows, so that no part of a joint projection stands idle.
    """
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    missing = [name for name, p in trained.items() if p.grad is None]
    ensure(not missing, f"no gradient reaches {', '.join(missing)}")
    gradients = {name: p.grad for name, p in trained.items() if p.grad is not None}
    strongest = max((gradient.abs().max() for gradient in gradients.values()), default=torch.zeros(()))

    def idle(gradient: Tensor) -> bool:
        rows = gradient.flatten(1) if by_row and gradient.dim() > 1 else gradient.flatten()[None]
        return not bool((rows.abs().amax(dim=1) > 1e-9 * strongest).all())

    still = [name for name, g in gradients.items() if idle(g) and not name.endswith(tuple(ignored))]
    ensure(not still, f"the gradient is zero, or zero in a row, of {', '.join(still)}")


def ensure_registered(module: nn.Module, outputs: Iterable[Tensor]) -> None:
    """Every tensor that gradients flow to is a parameter of the module, and every parameter is saved."""
    known = {id(parameter) for parameter in module.parameters()}
    waiting, seen = [output.grad_fn for output in outputs], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            shape = tuple(leaf.shape)
            ensure(id(leaf) in known, f"a trained tensor of shape {shape} is no registered parameter")
        waiting += [after for after, _ in node.next_functions]
    lost = {name for name, _ in module.named_parameters()} - set(module.state_dict())
    ensure(not lost, f"not in the state dict: {', '.join(sorted(lost))}")


def without_dropout(module: nn.Module, *, training: bool) -> nn.Module:
    """The module in the wanted mode, its dropout switched off so that outputs can be compared."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif isinstance(part, nn.RNNBase):
            part.dropout = 0.0
    return module.train(training)


def presence_patterns(count: int) -> Tensor:
    """All 2^M presence patterns, (2^M, M)."""
    return torch.tensor(list(product((True, False), repeat=count)))


def poisoned(tokens: Tokens) -> Tokens:
    """The same real items; in the padding, other numbers and another time."""
    mask = tokens.mask.view(*tokens.mask.shape, *[1] * (tokens.values.ndim - 2))
    garbage = torch.full_like(tokens.values, GARBAGE.get(tokens.values.dtype, 1e4))
    return Tokens(
        torch.where(mask, tokens.values, garbage), tokens.mask, torch.where(tokens.mask, tokens.time, 77.0)
    )


def lengthened(tokens: Tokens, by: int = 6) -> Tokens:
    """The same with more padding."""
    pad = nn.functional.pad
    values = pad(tokens.values, (0, 0) * (tokens.values.ndim - 2) + (0, by))
    return Tokens(values, pad(tokens.mask, (0, by)), pad(tokens.time, (0, by)))


def one_row(tokens: Tokens, row: int) -> Tokens:
    """One clip of a batch."""
    rows = slice(row, row + 1)
    return Tokens(tokens.values[rows], tokens.mask[rows], tokens.time[rows])
