"""From stored pixels to the picture as it is shown: turned, mirrored, and with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame

from mmvideo.store.media import Frame, resize_short_side

SLANT = 0.02
"""Off a right angle by this share (about one degree) is a right angle."""
LARGEST_ASPECT = 10.0
LONGEST_SHAPE = 32
"""Times its short side that a picture's long side may have: the short side is scaled to a given length, so
that a line of pixels in a file of kilobytes would become gigabytes."""
MOST_PIXELS = 2**26
"""8192 × 8192; a decoder holds several pictures at once, however small their file is."""
SQUARE = 0.01
"""Off a square by this share is a square: encoders round the shape of a picture's pixels."""


@dataclass(frozen=True)
class Orientation:
    """What a display matrix asks for: rows and columns swapped, then either mirrored."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Raises ValueError if the matrix turns the picture by anything but right angles."""
        matrix = display_matrix(frame)
        if matrix is None:
            return cls()
        a, b, _, c, d, *_ = matrix
        straight, across = max(abs(a), abs(d)), max(abs(b), abs(c))
        if across <= SLANT * straight:
            return cls(flip_rows=d < 0, flip_columns=a < 0)
        if straight <= SLANT * across:
            return cls(True, flip_rows=b < 0, flip_columns=c < 0)
        raise ValueError(f"its metadata turn the picture by {-frame.rotation % 360}°, not by right angles")

    def apply(self, picture: Frame) -> Frame:
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        if self.flip_rows:
            picture = picture[::-1]
        return picture[:, ::-1] if self.flip_columns else picture


def display_matrix(frame: VideoFrame) -> list[float] | None:
    """The nine numbers by which the picture is to be turned before it is shown, row by row."""
    # `frame.side_data` would keep the frame for ever: the two hold each other
    container: Any = SideDataContainer
    data = container(frame).get(Type.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(bytes(data), np.int32).astype(float).tolist()


def check_size(width: int, height: int, aspect: float) -> None:
    """Raises ValueError if a picture, as stored, is too large to be decoded or too long to be scaled."""
    sides = width * max(aspect, 1.0), height / min(aspect, 1.0)
    if width * height > MOST_PIXELS:
        raise ValueError(f"its pictures have {width}x{height} pixels, more than {MOST_PIXELS:,}")
    if max(sides) > LONGEST_SHAPE * min(sides):
        raise ValueError(f"its pictures ({width}x{height}) are over {LONGEST_SHAPE} times as long as wide")


def upright(picture: Frame, orientation: Orientation, aspect: float, size: int) -> Frame:
    """The picture as shown, its short side at `size` pixels.

    Args:
        picture: (H, W, 3), as stored.
        aspect: width of a stored pixel over its height.

    Raises:
        ValueError: see `check_size`.
    """
    check_size(picture.shape[1], picture.shape[0], aspect)
    turned = orientation.apply(picture)
    return resize_short_side(turned, size, 1 / aspect if orientation.transposed else aspect)


def pixel_aspect(aspect: float) -> float:
    """Width of a pixel over its height, from what the file says.

    Raises:
        ValueError: it cannot be meant.
    """
    if abs(aspect - 1) <= SQUARE:
        return 1.0
    if not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
        raise ValueError(f"its pixels are said to be {aspect:g} times as wide as high")
    return aspect
