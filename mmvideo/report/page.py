"""The report as one HTML file that needs no network: its sections one below the other, with their charts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmvideo.report import sections
from mmvideo.report.charts.roles import roles
from mmvideo.report.charts.theme import specification
from mmvideo.report.clips import Still
from mmvideo.report.compare import Comparison
from mmvideo.report.console import short
from mmvideo.report.vega import vega
from mmvideo.report.words import p_text


def render(comparison: Comparison, reproduce: str, stills: Mapping[str, Still] = MappingProxyType({})) -> str:
    """The page's HTML. All that comes from the runs is escaped; Vega is embedded.

    Args:
        reproduce: the command that makes the page, shown as is; empty to leave it out.
        stills: by their ids, what the hardest clips look, sound and read like, where that is known.
    """
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, *sections.__path__]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    display = comparison.study.task.display
    environment.filters |= {"score": display.value, "change": display.change, "p": p_text, "short": short}
    environment.tests["known"] = pd.notna
    environment.globals |= {
        "comparison": comparison,
        "study": comparison.study,
        "task": comparison.study.task,
        "display": display,
        "limits": comparison.limits.to_dict("records"),
        "roles": roles(comparison),
        "reproduce": reproduce,
        "stills": stills,
    }
    shown: list[Markup] = []
    charts: dict[str, Markup] = {}
    for name, section in sections.sections().items():
        if content := section.content(comparison):
            shown.append(Markup(environment.get_template(f"{name}.html.j2").render(content.values)))
            charts |= {id: _script_data(specification(chart)) for id, chart in content.charts.items()}
    return environment.get_template("page.html.j2").render(sections=shown, charts=charts, vega=vega())


def _script_data(data: object) -> Markup:
    """JSON that may stand inside <script>: no `<` is left that could end it."""
    return Markup(json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))
