"""What a clip's outputs cost, by task: one number a clip, for objectives to weigh and add up."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mmvideo.errors import InputError, unknown
from mmvideo.vocabulary import TASK_KINDS, TaskKind

ClipLoss = Callable[[Tensor, Tensor], Float[Tensor, " B"]]
"""Outputs (B, C) and labels as a Batch holds them → a loss per clip (B,)."""


def per_clip_loss(task: TaskKind, *, huber_delta: float | None = None) -> ClipLoss:
    """The task's loss of every clip, not averaged over the batch.

    - `single_label`: cross-entropy in nats; outputs (B, C), labels (B,) int64.
    - `multi_label`: binary cross-entropy in nats, averaged over the classes; outputs (B, C), labels (B, C)
      of 0 and 1.
    - `regression`: absolute error; outputs (B, 1), labels (B,). With `huber_delta`, the loss of Huber (1964,
      https://doi.org/10.1214/aoms/1177703732): quadratic for errors up to it, linear beyond.

    All are computed in 32 bits, whatever precision the outputs come in.

    Raises:
        InputError: an unknown task, or a `huber_delta` that is not positive or not for regression.
    """
    if task not in TASK_KINDS:
        raise unknown("task", task, TASK_KINDS)
    if huber_delta is not None and (task != "regression" or huber_delta <= 0):
        raise InputError(
            f"huber_delta is a positive error for the task 'regression'; got {huber_delta} for '{task}'"
        )
    if task == "single_label":
        return _cross_entropy
    if task == "multi_label":
        return _binary_cross_entropy
    if huber_delta is None:
        return _absolute_error
    return lambda outputs, labels: F.huber_loss(
        _values(outputs), labels.float(), reduction="none", delta=huber_delta
    )


def _cross_entropy(outputs: Tensor, labels: Tensor) -> Float[Tensor, " B"]:
    return F.cross_entropy(outputs.float(), labels, reduction="none")


def _binary_cross_entropy(outputs: Tensor, labels: Tensor) -> Float[Tensor, " B"]:
    losses = F.binary_cross_entropy_with_logits(outputs.float(), labels.float(), reduction="none")
    return losses.mean(dim=1)


def _absolute_error(outputs: Tensor, labels: Tensor) -> Float[Tensor, " B"]:
    return (_values(outputs) - labels.float()).abs()


def _values(outputs: Tensor) -> Float[Tensor, " B"]:
    assert outputs.shape[1] == 1, f"a regression has one output, not {outputs.shape[1]}"
    return outputs.float().squeeze(1)
