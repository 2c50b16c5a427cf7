"""How all charts look, and how a chart becomes the JSON that is drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import altair as alt

Chart = alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart

FONT = 'Inter, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
PAGE_WIDTH = 1000
"""What the panels of a chart share on a wide page, in pixels; the page makes them narrower where it is."""
LINES = "lines"
"""Of a chart with a line for each name: the `usermeta` that gives the names' field, by which the page puts
names that are long for it above their lines."""

_INK, _SOFT, _LINE = "var(--ink)", "var(--soft)", "var(--line)"
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "gridColor": _LINE, "domainColor": _LINE, "tickColor": _LINE, "labelColor": _INK, "titleColor": _SOFT,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 240,
        "labelSeparation": 5,
    },
    "legend": {
        "orient": "top", "title": None, "labelColor": _INK, "labelFontSize": 12, "labelLimit": 320,
        "symbolStrokeWidth": 2,
    },
    "header": {"labelColor": _INK, "labelFontSize": 12, "titleColor": _SOFT},
    "title": {"color": _INK, "fontSize": 13, "fontWeight": "normal", "anchor": "start"},
    "text": {"color": _INK, "fontSize": 11},
    "rule": {"color": _SOFT},
    "concat": {"spacing": 24},
}  # fmt: skip


def specification(chart: Chart) -> dict[str, Any]:
    """The chart as Vega-Lite JSON with the look that all share."""
    with alt.data_transformers.enable("default", max_rows=None):
        drawn = chart.to_dict()
    drawn.pop("$schema")
    return drawn | {"config": CONFIG}


def on_white(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the colours of a light page: for files, which know no style sheet."""
    return _painted({**drawn, "background": "var(--paper)"}, light_colours())


def light_colours() -> dict[str, str]:
    """The colours that `page.css.j2` gives names."""
    css = (Path(__file__).parents[1] / "page.css.j2").read_text()
    return dict(re.findall(r"--([\w-]+): ([^;]+);", css[: css.index("@media")]))


def _painted(part: Any, colours: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {key: _painted(value, colours) for key, value in part.items()}
    if isinstance(part, list):
        return [_painted(value, colours) for value in part]
    if isinstance(part, str):
        return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], part)
    return part


def rows(values: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    """A chart's data; numbers keep six digits, and what is unknown or endless is left out."""
    return alt.InlineData(
        values=[{key: _short(value) for key, value in row.items() if not _unknown(value)} for row in values]
    )


def short_number(value: float) -> int | float | None:
    """To six digits; None of what JSON lacks, an end that is nowhere."""
    if not math.isfinite(value):
        return None
    number = float(f"{float(value):.6g}")
    return int(number) if number.is_integer() else number


def _unknown(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and not math.isfinite(value))


def _short(value: Any) -> Any:
    return value if isinstance(value, str | bool) else short_number(value)
