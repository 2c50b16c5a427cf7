"""Which of a pretrained network's layers is read: the last one, one by its number, or a learnt sum of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import annotated_types as at
from torch import Tensor

from mmvideo.errors import InputError

Layer = Annotated[int, at.Ge(0)] | Literal["last", "weighted"]


def layers_given(layer: int | str, blocks: int, name: str) -> int:
    """How many layers' vectors are given of each token: all for `weighted`, else one.

    Args:
        blocks: of the network; a number counts as in transformers' `hidden_states`, 0 before the first.

    Raises:
        InputError: there is no such layer.
    """
    there = blocks + 1
    if isinstance(layer, int) and not -there <= layer < there:
        raise InputError(
            f"model '{name}' has layers 0 (before its blocks) to {blocks} (its last block); got layer {layer}"
        )
    return there if layer == "weighted" else 1


def states_read(layer: int | str, out: Any) -> Sequence[Tensor]:
    """The layers' states in a network's output; it was asked for `output_hidden_states` but for `last`."""
    if layer == "last":
        return [out.last_hidden_state]
    if layer == "weighted":
        states: Sequence[Tensor] = out.hidden_states
        return states
    return [out.hidden_states[layer]]
