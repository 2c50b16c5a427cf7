"""Checkpoints: the best weights as safetensors, and the whole state of training to resume from."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from mmvideo import regular
from mmvideo.errors import InputError
from mmvideo.files import TEMPORARY, sha256, write_whole
from mmvideo.training.weights import load_weights, save_weights

MAGIC = b"mmvideo training state 1\n"
"""How `last.pt` begins; the SHA-256 of all that follows comes next, as 64 hex digits and a line's end."""
DIGEST_LENGTH = 65
RUN, LOG = "run", "log"


class Checkpoints:
    """A run's two files: `best.safetensors`, weights chosen on validation, and `last.pt`, to resume from.

    Each is written whole or not at all: `write_whole` leaves the earlier one in place until then.
    """

    logged: str | None = None
    """SHA-256 of the log as it was when the training state that was loaded last was saved."""

    def __init__(self, folder: Path, run: str = "", log: Path | None = None) -> None:
        """
        Args:
            run: names the run; a training state of another one is refused.
            log: the file that training appends to before it saves its state.
        """
        self.run, self.log = run, log
        self.best, self.last = folder / "best.safetensors", folder / "last.pt"

    def remove_stale(self) -> None:
        """Remove what earlier attempts that were killed left half written. The run must be held alone."""
        for file in (self.best, self.last):
            for stale in file.parent.glob(f"{TEMPORARY}{file.name}.*"):
                stale.unlink()

    def save_best(self, model: nn.Module) -> None:
        """
        Raises:
            DiskFull: no space is left for it.
        """
        save_weights(model, self.best)

    def load_best(self, model: nn.Module) -> None:
        """Raises InputError if there are none, they are damaged, or they do not fit the model."""
        if not self.best.exists():
            raise InputError(f"There are no trained weights at {self.best}; train the run first")
        load_weights(model, self.best)

    def save_last(self, state: dict[str, Any]) -> None:
        """
        Raises:
            DiskFull: no space is left for it.
        """
        buffer = io.BytesIO()
        torch.save({**state, RUN: self.run, LOG: sha256(self.log) if self.log else None}, buffer)
        payload = buffer.getbuffer()
        write_whole(self.last, b"".join([MAGIC, _digest(payload), payload]))

    def load_last(self) -> dict[str, Any] | None:
        """The state of the last finished epoch, or None where training has not got that far.

        Raises:
            InputError: the file is not, bit by bit, what `save_last` wrote.
        """
        if not self.last.exists():
            return None
        try:
            content = regular.content(self.last)
        except OSError as error:
            raise _unusable(self.last, str(error)) from error
        payload = memoryview(content)[len(MAGIC) + DIGEST_LENGTH :]
        if not content.startswith(MAGIC):
            raise _unusable(self.last, "it is empty, cut short, or of another program or version")
        if not content.startswith(MAGIC + _digest(payload)):
            raise _unusable(self.last, "its content does not have the checksum it was written with")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError, EOFError, LookupError) as error:
            raise _unusable(self.last, f"it holds no training state: {error}") from error
        if (of := state.pop(RUN, None)) != self.run:
            raise _unusable(self.last, f"it is of another training, {of}")
        self.logged = state.pop(LOG, None)
        return state

    def resume(self, parts: dict[str, Any]) -> dict[str, Any]:
        """Put each part of a training back to where the last finished epoch left it.

        Args:
            parts: what has a state, by name.

        Returns:
            what else was saved; empty where training has not got that far.

        Raises:
            InputError: as in `load_last`, or the file is of another model, objective or optimiser.
        """
        saved = self.load_last()
        if saved is None:
            return {}
        try:
            for name, part in parts.items():
                part.load_state_dict(saved.pop(name))
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise _unusable(self.last, f"it is of another training: {error}") from error
        return saved


def _digest(payload: memoryview) -> bytes:
    return hashlib.sha256(payload).hexdigest().encode() + b"\n"


def _unusable(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} cannot be resumed from: {reason}. Delete it to train the run from the start, "
        "or put the file back as it was."
    )
