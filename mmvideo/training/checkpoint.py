"""Checkpoints: the best weights as safetensors, and the whole state of training to resume from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from mmvideo.errors import InputError


class Checkpoints:
    """A run's two files: `best.safetensors`, weights chosen on validation, and `last.pt`, to resume from."""

    def __init__(self, folder: Path) -> None:
        self.best, self.last = folder / "best.safetensors", folder / "last.pt"

    def save_best(self, model: nn.Module) -> None:
        temporary = self.best.with_suffix(".tmp")
        save_model(model, str(temporary))
        os.replace(temporary, self.best)

    def load_best(self, model: nn.Module) -> None:
        """Raises InputError if there are none, or they do not fit the model."""
        if not self.best.exists():
            raise InputError(f"There are no trained weights at {self.best}; train the run first")
        try:
            load_model(model, str(self.best))
        except RuntimeError as error:
            raise InputError(f"{self.best} does not fit the configured model: {error}") from error

    def save_last(self, state: dict[str, Any]) -> None:
        temporary = self.last.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.last)

    def load_last(self) -> dict[str, Any] | None:
        """The state of the last finished epoch, or None where training has not got that far."""
        if not self.last.exists():
            return None
        return torch.load(self.last, map_location="cpu", weights_only=True)
