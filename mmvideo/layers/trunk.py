"""What is trained on top of a pretrained model's tokens: nothing, an LSTM or a transformer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from mmvideo.layers.attention import AttentionBlock
from mmvideo.layers.recurrent import DeltaLstm
from mmvideo.layers.time import TimeEncoding
from mmvideo.types import Tokens

Trunk = Literal["none", "lstm", "transformer"]
BLOCKS = 2


class LstmTrunk(nn.Module):
    """An LSTM's states added to the tokens; forward only, so that padding cannot reach what is real."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.lstm = DeltaLstm(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, stem: Tokens) -> Tokens:
        return stem.replace_values(stem.values + self.dropout(self.lstm(stem.values)))


class TransformerTrunk(nn.Module):
    """Two blocks of attention among a clip's tokens, with time in seconds for positions."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.time = TimeEncoding(width)
        self.blocks = nn.ModuleList(AttentionBlock(width, dropout=dropout) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(width)

    def forward(self, stem: Tokens) -> Tokens:
        seconds = torch.where(stem.mask, stem.time, 0.0)
        x = (stem.values + self.time(seconds)).masked_fill(~stem.mask[..., None], 0.0)
        for block in self.blocks:
            x = block(x, x, stem.mask[:, None])
        return stem.replace_values(self.norm(x))


class NoTrunk(nn.Module):
    """The tokens as they are."""

    def forward(self, stem: Tokens) -> Tokens:
        return stem


def make_trunk(name: Trunk, width: int, dropout: float) -> nn.Module:
    """The trunk that a configuration names."""
    made = {"lstm": LstmTrunk, "transformer": TransformerTrunk}.get(name)
    return NoTrunk() if made is None else made(width, dropout)
