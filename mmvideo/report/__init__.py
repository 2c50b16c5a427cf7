"""From a study's run directories to tables, figures and a page that survive a reviewer."""

from __future__ import annotations

import json
from pathlib import Path

from mmvideo.report.compare import Comparison, compare
from mmvideo.report.load import load_study

__all__ = ["Comparison", "write_report"]


def write_report(study_dir: Path, out_dir: Path, *, reproduce: str = "") -> Comparison:
    """Compare a study's finished runs and write what came out.

    Writes `report.html`, `summary.csv`, `pairs.csv`, `comparison.json` and `figures/` into `out_dir`.

    Args:
        study_dir: the folder with study.json and the run directories.
        reproduce: the command that made the study, to show on the page.

    Raises:
        InputError: the runs cannot be compared; the message names what differs.
    """
    from mmvideo.report.figures import write_figures
    from mmvideo.report.page import render

    comparison = compare(load_study(study_dir))
    out_dir.mkdir(parents=True, exist_ok=True)
    comparison.table.to_csv(out_dir / "summary.csv", index=False, float_format="%.6g")
    comparison.pairs.to_csv(out_dir / "pairs.csv", index=False, float_format="%.6g")
    (out_dir / "comparison.json").write_text(
        json.dumps(comparison.record(), indent=1, ensure_ascii=False) + "\n"
    )
    write_figures(comparison, out_dir / "figures")
    (out_dir / "report.html").write_text(render(comparison, reproduce), encoding="utf-8")
    return comparison
