"""What the model will see, as one HTML file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from mmvideo.inspection.picture import NARROW, WIDTH, draw, png
from mmvideo.vocabulary import SPLITS

if TYPE_CHECKING:
    from mmvideo.inspection.overview import Overview
    from mmvideo.inspection.views import ClipView


def render_inspection(
    title: str,
    views: Sequence[ClipView],
    overview: Overview | None,
    *,
    settings: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """The page's HTML; all that comes from the data is escaped, pictures are inside.

    Args:
        overview: a manifest's numbers; None for a single clip.
        settings: what of the configuration decides what is seen, by name.
    """
    environment = Environment(
        # the style is that of the reports
        loader=ChoiceLoader([PackageLoader("mmvideo.inspection", "."), PackageLoader("mmvideo.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"seconds": seconds, "share": share}
    return environment.get_template("inspection.html.j2").render(
        title=title,
        clips=[(view, *(_data_uri(png(draw(view, width))) for width in (WIDTH, NARROW))) for view in views],
        overview=overview,
        tiles=tiles(overview) if overview else [],
        splits=SPLITS,
        settings=settings,
        notes=notes,
    )


def tiles(overview: Overview) -> list[dict[str, str]]:
    """The numbers to see first."""
    clips = sum(overview.clips.values())
    found = [
        (f"{clips:,}", "clips: " + ", ".join(f"{overview.clips[s]:,} {s}" for s in SPLITS)),
        (f"{sum(overview.groups.values()):,}", "groups, counted per split"),
        (seconds(overview.total_seconds), "length of all clips that can be read"),
    ]
    if overview.classes:
        found.insert(1, (f"{len(overview.classes):,}", "classes"))
    if overview.failed:
        found.append(
            (f"{len(overview.failed):,}", f"failed to decode ({share(len(overview.failed), clips)})")
        )
    return [{"value": value, "label": label} for value, label in found]


def seconds(value: float) -> str:
    """1.25 s, 3 min 20 s, 2 h 5 min."""
    if value < 100:
        return f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "–"


def _data_uri(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()
