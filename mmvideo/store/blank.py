"""Whether what a clip has holds anything: digital silence and pictures of one colour do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SILENCE = 10 ** (-90 / 20)
"""Peak, of full scale 1, below which sound is digital silence: no more than the last of 16 bits changes."""
ONE_COLOUR = 2
"""Levels of 256 by which a colour may change and still count as one: what codecs and scaling round."""


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Digital silence: the mean taken away, all of these (S,) samples stay below -90 dB of full scale 1."""
    low, high = float(samples.min()), float(samples.max())
    if high - low > 2 * SILENCE:  # then one of them is that far from any mean: most sound ends here
        return False
    return bool(np.abs(samples - samples.mean(dtype=np.float64)).max() < SILENCE)


def is_one_colour(frames: NDArray[np.uint8]) -> bool:
    """Blank: over all pixels of all these (T, H, W, 3) frames no colour changes by more than 2 of 256 levels.

    A frozen picture of something is not blank, and nor is a flash.
    """
    return all(
        int(part[..., colour].max()) - int(part[..., colour].min()) <= ONE_COLOUR
        for part in (frames[0], frames)  # the first one alone decides for most clips
        for colour in range(3)
    )
