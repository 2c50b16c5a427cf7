"""LSTM over masked sequences. It reads forward and masks are prefixes: padding cannot reach what is real."""

from __future__ import annotations

from torch import nn


def make_lstm(inputs: int, width: int, layers: int = 1) -> nn.LSTM:
    """An LSTM over (B, N, inputs) that starts out remembering.

    Input weights by Glorot, recurrent weights orthogonal, forget-gate bias 1 (Jozefowicz et al., 2015,
    http://proceedings.mlr.press/v37/jozefowicz15.html): with PyTorch's uniform start, what was seen some
    frames ago fades before training can learn to keep it.
    """
    lstm = nn.LSTM(inputs, width, num_layers=layers, batch_first=True)
    for name, parameter in lstm.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)
            if "bias_ih" in name:
                nn.init.ones_(parameter[width : 2 * width])
            continue
        for gate in parameter.split(width):
            nn.init.orthogonal_(gate) if "weight_hh" in name else nn.init.xavier_uniform_(gate)
    return lstm
