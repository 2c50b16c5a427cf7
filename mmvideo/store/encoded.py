"""What a frozen encoder made of clips, kept in the store beside the clips it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmvideo.errors import InputError
from mmvideo.files import digest_of
from mmvideo.store.object_store import object_path, opened, read_record, unreadable, write_object

ENCODED_VERSION = 2
"""Raise it when the same network and settings would give other tokens."""


@dataclass(frozen=True)
class EncodedClips:
    """A clip's tokens of one modality, (N, F), each with its time, as one network at one setting gives them.

    A token need not stand for an item of the modality: it may be a column of sound or a tubelet of frames.

    Args:
        root: the store's folder.
        clip_keys: clip id → key of the decoded clip.
        made_by: what decides the tokens, the same for all clips: the network, its weights' hash, the layer,
            windows, preprocessing, and how the modality reads a clip.
        modality: whose tokens they are.
        beside: clip id → what else of the clip was read, and is not in the decoded clip; plain JSON values.
        half: kept in half precision.
    """

    root: Path
    clip_keys: Mapping[str, str]
    made_by: Mapping[str, Any]
    modality: str
    beside: Mapping[str, Any]
    half: bool = False

    def path(self, clip_id: str) -> Path:
        key, beside = self.clip_keys[clip_id], self.beside.get(clip_id)
        return object_path(
            self.root, digest_of([ENCODED_VERSION, key, dict(self.made_by), beside, self.half])
        )

    def missing(self) -> list[str]:
        """Ids of the clips that are yet to be encoded."""
        return [name for name in self.clip_keys if not self.path(name).exists()]

    def write(self, clip_id: str, values: NDArray[np.float32], times: NDArray[np.float64]) -> None:
        """Keep a clip's tokens, (N, F), and their centres (N,) in seconds from the clip's start, ascending.

        Raises:
            InputError: half precision is asked for, and the values do not fit into it.
        """
        assert values.ndim == 2 and times.shape == values.shape[:1]  # noqa: PT018
        with np.errstate(over="ignore"):  # told below
            kept = values.astype(np.float16 if self.half else np.float32)
        if not np.isfinite(kept).all():
            told = f"a value of {np.abs(values).max():g}"
            raise InputError(
                f"{clip_id}: the encoder of {self.modality} gives {told}"
                + (", which half precision does not hold; leave `half` out" if self.half else "")
            )
        record: dict[str, Any] = {"present": [self.modality] if len(values) else []}
        origin = read_record(object_path(self.root, self.clip_keys[clip_id])).get("origin")
        if origin:
            precision = {"half": True} if self.half else {}
            record["origin"] = {**origin, "settings": {**origin["settings"], **self.made_by, **precision}}
        write_object(self.path(clip_id), {"tokens": kept, "times": times.astype(np.float64)}, record)

    def read(self, clip_id: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """A clip's tokens, (N, F), and their times (N,).

        Raises:
            InputError: they were never computed, or their file is damaged.
        """
        path = self.path(clip_id)
        with opened(path) as file:
            values, times = file.get_tensor("tokens"), file.get_tensor("times")
        if len(values) != len(times):
            raise unreadable(path, "it has another number of times than of tokens")
        return values.astype(np.float32, copy=False), times
