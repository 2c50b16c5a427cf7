"""LSTM over masked sequences, forward only: masks are prefixes, so padding cannot reach what is real."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DeltaLstm(nn.Module):
    """An LSTM that reads each step together with its change since the step before.

    Delta features (Furui, 1986, https://doi.org/10.1109/TASSP.1986.1164788): motion is a difference of
    positions; given the difference, the recurrence need not learn to subtract first. Input weights start by
    Glorot, recurrent weights orthogonal, forget-gate biases at 1 (Jozefowicz et al., 2015,
    http://proceedings.mlr.press/v37/jozefowicz15.html).
    """

    def __init__(self, inputs: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2 * inputs, width, num_layers=layers, batch_first=True)
        for name, parameter in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
                if "bias_ih" in name:
                    nn.init.ones_(parameter[width : 2 * width])
                continue
            for gate in parameter.split(width):
                nn.init.orthogonal_(gate) if "weight_hh" in name else nn.init.xavier_uniform_(gate)

    def forward(self, x: Float[Tensor, "B N F"]) -> Float[Tensor, "B N D"]:
        """The states after each step."""
        change = torch.diff(x, dim=1, prepend=x[:, :1])
        return self.lstm(torch.cat([x, change], dim=2))[0]
