"""What a worker process that encodes clips is given, does and answers.

It is ready before the libraries are loaded, with its first clip: that takes long on a busy machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mmvideo.files import Busy, Unwritable

BUSY_SECONDS = 0.05
"""What a worker waits where another command encodes the clip it was given."""


@dataclass(frozen=True)
class Job:
    """One clip of one input of a configuration, as JSON, in a view or as it is."""

    config: str
    name: str
    clip: str
    view: int | None


@dataclass(frozen=True)
class Answer:
    """`reason`: what is wrong with the clip; None: it is encoded. `busy`: another command is at it."""

    reason: str | None = None
    busy: bool = False
    notes: dict[str, list[str]] = field(default_factory=dict)


def encode(job: Job) -> Answer | Unwritable:
    """Encode a clip, unless another process is at it."""
    from mmvideo.encoders.ahead import encode_clip
    from mmvideo.runs.encoding import held

    cache = held(job.config, job.name, job.view)
    try:
        reason = encode_clip(cache.ahead, cache.encoded, cache.source, cache.clips[job.clip])
    except Busy:
        time.sleep(BUSY_SECONDS)
        return Answer(busy=True)
    except Unwritable as error:
        return error
    notes = {text: list(ids) for text, ids in cache.ahead.notes.items() if ids}
    for ids in cache.ahead.notes.values():
        ids.clear()
    return Answer(reason, notes=notes)
