"""The report's charts as files for papers and slides: PNG and PDF."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmvideo.files import write_whole
from mmvideo.report.charts import cost, forest, learning_curves
from mmvideo.report.charts.theme import Chart, on_white, specification
from mmvideo.report.compare import Comparison

VEGA_LITE = "6.4"
DPI = 200


def write_figures(comparison: Comparison, folder: Path) -> list[Path]:
    """Write `accuracy` (or the task's score), `learning_curves` and `cost`, each as .png (200 dpi) and .pdf.

    Returns:
        The files, in this order.
    """
    charts = {
        comparison.study.task.score: forest.chart(comparison),
        "learning_curves": learning_curves.chart(comparison),
        "cost": cost.chart(comparison),
    }
    return [file for name, chart in charts.items() for file in write_chart(chart, folder / name)]


def write_chart(chart: Chart, stem: Path, ends: tuple[str, ...] = ("png", "pdf")) -> list[Path]:
    """Write one chart, the same bytes for the same chart."""
    import vl_convert

    drawn = on_white(specification(chart))
    forms: dict[str, Any] = {
        "png": lambda: vl_convert.vegalite_to_png(drawn, vl_version=VEGA_LITE, ppi=DPI),
        "pdf": lambda: _ordered(vl_convert.vegalite_to_pdf(drawn, vl_version=VEGA_LITE)),
    }
    files = [stem.with_name(f"{stem.name}.{end}") for end in ends]
    for file, end in zip(files, ends, strict=True):
        write_whole(file, forms[end]())
    return files


def _ordered(pdf: bytes) -> bytes:
    """The PDF with the entries of its dictionaries sorted, which the converter writes in any order. They are
    as long as they were, so that all offsets hold."""
    entries = rb"(?:[ ]*/\w+ \d+ 0 R\n){2,}"
    return re.sub(entries, lambda found: b"".join(sorted(found[0].splitlines(keepends=True))), pdf)
