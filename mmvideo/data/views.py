"""Several looks at one clip in evaluation: windows spread over it, and crops of each."""

from __future__ import annotations

from dataclasses import dataclass

CROPS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.5, 0.5),),
    3: ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)),
    5: ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
}
"""Number of crops → their places, (0, 0) top left and (1, 1) bottom right. Three crops are as high as the
frame, or as wide: only the place along its longer side tells them apart (Feichtenhofer et al., 2019,
https://arxiv.org/abs/1812.03982). Five are the centre and the corners."""


@dataclass(frozen=True)
class View:
    """One look at a clip: which of its windows, from 0 (the first) to 1 (the last), and which crop."""

    window: float = 0.5
    crop: tuple[float, float] = (0.5, 0.5)


def evaluation_views(windows: int, crops: int) -> tuple[View, ...]:
    """All windows × crops. One window is the middle one; more are spread evenly from first to last."""
    places = [i / (windows - 1) for i in range(windows)] if windows > 1 else [0.5]
    return tuple(View(window, crop) for window in places for crop in CROPS[crops])
