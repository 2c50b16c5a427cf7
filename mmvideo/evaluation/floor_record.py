"""What is kept of a data set's floors, beside a study and in the store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from mmvideo.errors import InputError
from mmvideo.records import Sealed
from mmvideo.schema import Part
from mmvideo.vocabulary import TaskKind


def floor_file(seed: int) -> str:
    """Where a study keeps the floors of a seed's split; they differ where each seed draws its validation."""
    return f"floor-s{seed}.json"


class Floor(Part):
    """One floor: what the test clips get, and what validation chose (see `mmvideo.evaluation.floor`)."""

    modalities: tuple[str, ...]
    outputs: tuple[tuple[float, ...], ...]
    """For each test clip, 6 decimals each."""
    in_parts: bool
    strength: float
    val_loss: float
    seconds: float
    """Of fitting."""


class FloorRecord(Sealed):
    """floor-s<seed>.json: a floor for each modality, then, where there are several, for all together."""

    key: str
    """What decides the numbers: the data, and how they are read."""
    data_fingerprint: str
    task: TaskKind
    classes: tuple[str, ...]
    clips: tuple[str, ...]
    """Ids of the test clips."""
    training_clips: int
    left_out: tuple[str, ...]
    """Modalities without a floor: nothing to read, no vectors, or arms that read it differently."""
    seconds: float
    """Of reading plain features."""
    floors: tuple[Floor, ...]

    def predictions(self, ids: Sequence[str]) -> dict[tuple[str, ...], Float[ndarray, "n C"]]:
        """By the floor's modalities, outputs of the test clips in the order of their ids.

        Raises:
            InputError: it was made on other test clips.
        """
        if sorted(ids) != sorted(self.clips):
            raise InputError(
                "The floor was made on other test clips than the runs. Run the study again: it makes it anew."
            )
        row = {name: place for place, name in enumerate(self.clips)}
        order = [row[name] for name in ids]
        return {floor.modalities: np.array(floor.outputs)[order] for floor in self.floors}


def floor_name(modalities: Sequence[str]) -> str:
    """How a floor is called in tables: `floor visual`, `floor all`."""
    return f"floor {modalities[0] if len(modalities) == 1 else 'all'}"
