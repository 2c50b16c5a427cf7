"""The libraries that draw the charts, as one script."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup


@cache
def vega() -> Markup:
    """Vega, Vega-Lite and Vega-Embed; they give a page `window.vegaEmbed`."""
    import vl_convert

    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
