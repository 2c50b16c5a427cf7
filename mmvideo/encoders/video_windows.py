"""Which frames the windows of a video model show, and which of its vectors are kept, with their times."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mmvideo.encoders.video_models import Video
from mmvideo.errors import InputError
from mmvideo.vocabulary import counted


@dataclass(frozen=True)
class Windows:
    """A clip's frames, cut into windows.

    Args:
        frames: which of the clip's frames each window shows, (W, T).
        kept: which of its tubelets' vectors stand for the clip, (W, S).
        times: the centres of those that are kept, in seconds: the mean of their frames' times.
        repeated: whether the clip's last frame is shown again, to fill the window or its last tubelet.
    """

    frames: Int[Tensor, "W T"]
    kept: Bool[Tensor, "W S"]
    times: Float[Tensor, " N"]
    repeated: bool


def cut_windows(
    times: Float[Tensor, " T"], video: Video, *, stride: int | None, step: int | None, pad: bool
) -> Windows:
    """Windows of the model's own length over a clip's frames.

    Each begins `stride` frames after the one before; the last one ends with the clip's last frame. What a
    window shows that was in one before is there as context: only tubelets with a new frame are kept. So all
    frames are seen, and of no moment are there two vectors.

    Args:
        times: of the clip's frames, at least one, in seconds, ascending.
        stride: in frames that the model sees; None: a whole window.
        step: every which frame the model sees. None: as its preprocessor samples, where that says a rate;
            else 1.
        pad: of a clip with fewer frames than a window, show the last one again. Tubelets of repetitions alone
            are not kept. A model that takes fewer frames is only given whole tubelets in this way.

    Raises:
        InputError: the clip is shorter than the window, and the model takes no other; or it has too few
            frames a second.
    """
    seen = torch.arange(0, len(times), _step(times, video) if step is None else step)
    count, window, tubelet = len(seen), video.frames, video.tubelet
    if count < window:
        if video.exact and not pad:
            raise InputError(
                f"{counted(count, 'frame')} to see, and the model takes {window}: show it more "
                "(data.frame_rate, data.max_seconds, the modality's `sampling` and `frames`), name a model "
                "that takes fewer, or set short_clips=pad"
            )
        window = window if video.exact else -(-count // tubelet) * tubelet
    starts = torch.arange(0, max(count - window, 0) + 1, stride or window)
    if starts[-1] + window < count:
        starts = torch.cat([starts, torch.tensor([count - window])])
    shown = starts[:, None] + torch.arange(window)
    before = torch.cat([torch.zeros(1, dtype=torch.long), starts[:-1] + window])[:, None]
    own = (shown < count).unflatten(1, (-1, tubelet))
    kept = (own & (shown >= before).unflatten(1, (-1, tubelet))).any(dim=2)
    frames = seen[shown.clamp(max=count - 1)]
    centres = (times[frames].unflatten(1, (-1, tubelet)) * own).sum(dim=2) / own.sum(dim=2)
    return Windows(frames, kept, centres[kept], repeated=count < window)


def _step(times: Tensor, video: Video) -> int:
    """Every which frame comes nearest to the rate at which the model's preprocessor samples."""
    if video.rate is None or len(times) < 2:
        return 1
    stored = 1 / times.diff().median().item()
    if stored < 0.75 * video.rate:
        raise InputError(
            f"the model was trained on {video.rate:g} frames a second, and there are {stored:.3g}: raise "
            "data.frame_rate, or set frame_step=1"
        )
    return max(1, round(stored / video.rate))
