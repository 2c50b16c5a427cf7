"""Small pictures of stored clips, for a report that shows which ones are hard."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import Manifest
from mmvideo.config import RunConfig
from mmvideo.data.opened import store_settings
from mmvideo.report.clips import Still
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.object_store import object_path
from mmvideo.store.store import Store

FRAMES, FRAME = 4, (96, 64)
"""How many frames stand side by side, and the pixels (width, height) that each fits into."""
SPECTROGRAM, DECIBELS = (128, 48), 60.0
"""Pixels (width, height); and how far below the loudest is black."""
LETTERS = 200
"""Of the words; more are cut off."""


def stills(config: RunConfig, manifest: Manifest, ids: Sequence[str]) -> dict[str, Still]:
    """Of those clips that the store holds as the configuration reads them. Nothing is decoded.

    Raises:
        InputError: what the store holds of a clip is damaged.
        OSError: a clip's file is not there any more.
    """
    root = Path(config.data.store)
    store, hashes = Store(root, store_settings(config)), ContentHashes(root / "hashes.json")
    wanted = {clip.id: clip for clip in manifest.clips if clip.id in set(ids)}
    keys = {id: store.key(clip, manifest, hashes) for id, clip in wanted.items()}
    held = {id: store.read(key) for id, key in keys.items() if object_path(root, key).is_file()}
    return {id: still(clip) for id, clip in held.items() if clip.present}


def still(clip: StoredClip) -> Still:
    """What there is of a clip: frames from its start to its end, its spectrogram, its first words."""
    words = " ".join(word.text for word in clip.words)
    return Still(
        frames=_uri(_strip(clip.frames), "jpeg") if len(clip.frames) else None,
        spectrogram=_uri(_spectrogram(clip.samples), "png") if len(clip.samples) else None,
        words=words if len(words) <= LETTERS else words[:LETTERS].rsplit(" ", 1)[0] + " …",
    )


def _strip(frames: NDArray[np.uint8]) -> Image.Image:
    shown = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    height, width = frames.shape[1:3]
    scale = min(FRAME[0] / width, FRAME[1] / height)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    step = size[0] + 2  # a line between any two
    strip = Image.new("RGB", (FRAMES * step - 2, size[1]), "grey")
    for place, index in enumerate(shown):
        strip.paste(Image.fromarray(frames[index]).resize(size), (place * step, 0))
    return strip


def _spectrogram(samples: NDArray[np.float32]) -> Image.Image:
    """Level by time (across) and frequency (upwards, linear)."""
    from scipy.signal import spectrogram

    window = min(len(samples), 512)
    _, _, power = spectrogram(samples, nperseg=window, noverlap=window // 2)
    level = 10 * np.log10(np.maximum(power, 1e-12))
    shade = (1 + (level - level.max()) / DECIBELS).clip(0, 1) if level.max() > level.min() else 0 * level
    return Image.fromarray((255 * shade[::-1]).astype(np.uint8)).resize(SPECTROGRAM)


def _uri(picture: Image.Image, form: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form, **({"quality": 70} if form == "jpeg" else {"optimize": True}))
    return f"data:image/{form};base64,{base64.b64encode(buffer.getvalue()).decode()}"
