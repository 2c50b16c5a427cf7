"""One optimiser step from the gradients of several batches."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class MeanGradient:
    """The mean over the clips of several batches, of what the objective leaves in each parameter.

    Each batch's gradient is taken away as it comes, so that objectives which look at gradients, or change
    them, have before them those of their own batch alone.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.sums: dict[nn.Parameter, Tensor] = {}
        self.clips = 0

    def take(self, clips: int) -> None:
        """Take in the gradients of a batch of so many clips; the parameters have none afterwards."""
        self.clips += clips
        for parameter in self.parameters:
            if parameter.grad is not None:
                gradient = parameter.grad.mul_(clips)
                parameter.grad = None
                if parameter in self.sums:
                    self.sums[parameter] += gradient
                else:
                    self.sums[parameter] = gradient

    def give(self) -> None:
        """Leave the mean in the parameters, and begin anew."""
        for parameter, total in self.sums.items():
            parameter.grad = total.div_(self.clips)
        self.sums, self.clips = {}, 0
