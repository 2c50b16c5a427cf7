"""Features of stored frames, kept in the store beside the clips they were computed from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvideo.store.object_store import object_path, opened, read_record, write_object

FEATURES_VERSION = 1
"""Raise it when the same network and settings would give other features."""


@dataclass(frozen=True)
class FrameFeatures:
    """One vector for each stored frame of a clip, as one network at one setting gives them.

    Args:
        root: the store's folder.
        clip_keys: clip id → key of the decoded clip.
        made_by: what decides the features beside the frames: the network, its weights' hash, the crop …
        width: length of a vector.
    """

    root: Path
    clip_keys: Mapping[str, str]
    made_by: Mapping[str, Any]
    width: int

    def path(self, clip_id: str) -> Path:
        record = [FEATURES_VERSION, self.clip_keys[clip_id], dict(self.made_by)]
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        return object_path(self.root, digest)

    def missing(self) -> list[str]:
        """Ids of the clips whose features are yet to be computed."""
        return [name for name in self.clip_keys if not self.path(name).exists()]

    def write(self, clip_id: str, values: NDArray[np.float32]) -> None:
        """Keep a clip's features, (T, F)."""
        record: dict[str, Any] = {"present": ["visual"]}
        origin = read_record(object_path(self.root, self.clip_keys[clip_id])).get("origin")
        if origin:
            record["origin"] = {**origin, "settings": {**origin["settings"], **self.made_by}}
        write_object(self.path(clip_id), {"features": values}, record)

    def read(self, clip_id: str) -> NDArray[np.float32]:
        """A clip's features, (T, F).

        Raises:
            InputError: they were never computed, or their file is damaged.
        """
        with opened(self.path(clip_id)) as file:
            values: NDArray[np.float32] = file.get_tensor("features")
        return values
