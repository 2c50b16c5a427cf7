"""What a checkpoint's own files say of its pictures: how frames become squares, and squares become numbers.

Size, crop and normalisation are read off the files, never off a class's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from PIL.Image import Resampling
from torch import Tensor, nn

from mmvideo.errors import InputError
from mmvideo.modalities.picture_changes import Framing
from mmvideo.pretrained import preprocessor


@dataclass(frozen=True)
class Picture:
    """What a checkpoint was trained to be given: pixels (x / 255 - mean) / std of a framed square."""

    framing: Framing
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Normalise(nn.Module):
    """Pixels as a checkpoint was trained to be given them."""

    mean: Tensor
    std: Tensor

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        for key, values in (("mean", picture.mean), ("std", picture.std)):
            self.register_buffer(key, 255 * torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, frames: UInt8[Tensor, "*N 3 H W"]) -> Float[Tensor, "*N 3 H W"]:
        found: Tensor = (frames - self.mean) / self.std
        return found


def processor_of(model: str, part: str) -> Any:
    """transformers' own preprocessor of a model, whose files say all that its class would else fill in.

    Args:
        part: `image_processor` or `video_processor`.

    Raises:
        InputError: there is no such file, or it leaves something to its class.
    """
    import transformers

    given = preprocessor(model, part, "size")
    if given.get("do_normalize", True):
        preprocessor(model, part, "image_mean", "image_std")
    cls = {"image_processor": "AutoImageProcessor", "video_processor": "AutoVideoProcessor"}[part]
    return getattr(transformers, cls).from_pretrained(model)


def picture_of_processor(given: Any, model: str) -> Picture:
    """What a preprocessor of transformers makes of a frame.

    Raises:
        InputError: it makes something else than one square, cut from the centre or squeezed.
    """
    squeeze = given.do_resize and "height" in dict(given.size)
    crop = bool(getattr(given, "do_center_crop", False))
    square = dict(given.crop_size) if crop else dict(given.size)
    sides = {side for side in (square.get("height"), square.get("width")) if side}
    if len(sides) != 1 or (squeeze and crop and dict(given.size) != square) or not given.do_resize:
        raise InputError(
            f"model '{model}': its preprocessor makes pictures of size {dict(given.size)}, crop {square}; "
            "what is understood is one square, cut from the centre or squeezed"
        )
    framing = Framing(
        sides.pop(),
        whole=squeeze,
        resize=None if squeeze else int(dict(given.size)["shortest_edge"]),
        interpolation=Resampling(given.resample).name.lower(),
        floors=True,
    )
    scale = 255 * (given.rescale_factor if given.do_rescale else 1.0)
    mean, std = (given.image_mean, given.image_std) if given.do_normalize else ((0.0,) * 3, (1.0,) * 3)
    below = 1.0 if _offset(given) else 0.0
    return Picture(framing, tuple((m + below) / scale for m in mean), tuple(s / scale for s in std))


def _offset(given: Any) -> bool:
    """Whether 1 is taken off before the mean is: of Vivit's, unless its file says that it is not."""
    return bool(getattr(given, "offset", type(given).__name__ == "VivitVideoProcessor"))
