"""`mmvideo encoders`: every encoder that can be named, and the pretrained models that it can be made of.

The rows are those of the encoders' own tables (`Encoder.families`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from mmvideo.cli.options import parse
from mmvideo.components import ENCODERS, MODALITY_KINDS
from mmvideo.errors import unknown
from mmvideo.pretrained import Family

COLUMNS = ("", "given", "a vector", "padding", "width", "weights", "for example", "its licence")
BYTES = 4
"""Of a weight, in single precision."""


@dataclass
class Encoders:
    """List the encoders by the kind of modality they take, and the pretrained models each can be made of.

    Numbers are those of a family's usual size, which the example has; a checkpoint's own files decide what it
    is given. `padding` is what a model makes of it: `exact`, nothing; of the others, windows and masks are
    worked out outside of the model. `weights` is the memory that these alone take, in single precision.
    """

    kind: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="KIND")] = None
    """visual, audio, text or features. None: all."""


def run(arguments: list[str]) -> int:
    """`mmvideo encoders [KIND]`"""
    kind = parse(Encoders, "encoders", arguments).kind
    if kind is not None and kind not in MODALITY_KINDS:
        raise unknown(MODALITY_KINDS.kind, kind, MODALITY_KINDS)
    print("\n".join(listing([kind] if kind else list(MODALITY_KINDS))))
    return 0


def listing(kinds: Sequence[str]) -> Iterator[str]:
    """Lines for the encoders that take these kinds of modality."""
    encoders = {name: ENCODERS.resolve(name) for name in ENCODERS}
    rows = [COLUMNS, *(row(family) for encoder in encoders.values() for family in families(encoder))]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
    for kind in kinds:
        yield kind
        for name, encoder in encoders.items():
            if encoder.takes != kind:
                continue
            yield f"  {name:<16} {_what(encoder)}"
            known = [row(family) for family in families(encoder)]
            for cells in [COLUMNS, *known] if known else []:
                aligned = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
                yield f"    {'  '.join(aligned)}".rstrip()


def families(encoder: Any) -> list[Family]:
    """Each family of pretrained models once, though files may call it by several names."""
    return list({family.title: family for family in encoder.families.values()}.values())


def row(family: Family) -> tuple[str, ...]:
    """A family's cells."""
    return (
        family.title,
        family.input,
        family.gives,
        family.masks,
        str(family.width),
        f"{BYTES * family.parameters:,.0f} MB",
        family.example,
        family.licence,
    )


def _what(encoder: Any) -> str:
    """What an encoder's docstring begins with."""
    return " ".join((encoder.__doc__ or "").partition("\n\n")[0].split())
