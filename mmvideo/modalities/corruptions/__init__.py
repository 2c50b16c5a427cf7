"""Corruptions: damage to clips in five severities, by which finished models are tested.

What a clip's damage is, is a function of (seed, clip, corruption): the same for every model, arm and run, for
all frames and windows of the clip, and of one kind at all severities, so that more severe means more of the
same. To add one: its function in the file of its kind of modality, and one line in the table there. A kind of
modality names its table as `corruptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmvideo.clips.manifest import Clip
from mmvideo.seeding import derive_seed

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One kind of damage, and how strong it is at each severity, mildest first."""

    apply: Callable[..., Any]
    """What its kind of modality gives, then the level and a generator of its draws → the same, damaged."""
    levels: tuple[float, float, float, float, float]
    unit: str


@dataclass(frozen=True)
class Damage:
    """A corruption at one severity, as a modality of a run is given it."""

    name: str
    corruption: Corruption
    severity: int
    seed: int = 0

    @property
    def level(self) -> float:
        return self.corruption.levels[self.severity - 1]

    def apply(self, clip: Clip, *given: Any, part: str = "") -> Any:
        """What is given of a clip, damaged.

        Args:
            part: of the clip, where parts are to have draws of their own.
        """
        draw = np.random.default_rng(derive_seed("corruption", self.seed, self.name, clip.id, part))
        return self.corruption.apply(*given, self.level, draw)
