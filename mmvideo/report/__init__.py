"""From a study's run directories to tables, figures and a page that survive a reviewer."""

from __future__ import annotations

import json
from pathlib import Path

from mmvideo import __version__
from mmvideo.files import write_whole
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.load import load_study

__all__ = ["Comparison", "write_report"]


def write_report(
    study_dir: Path, out_dir: Path, *, reproduce: str = "", keep: bool = False
) -> tuple[Comparison, bool]:
    """Compare a study's finished runs and write what came out.

    Writes `report.html`, `summary.csv`, `pairs.csv`, `comparison.json` and `figures/` into `out_dir`.

    Args:
        study_dir: the folder with study.json and the run directories.
        reproduce: the command that made the study, to show on the page.
        keep: leave a report as it is if it says the same already.

    Returns:
        The comparison, and whether it was written.

    Raises:
        InputError: the runs cannot be compared; the message names what differs.
    """
    comparison = compare(load_study(study_dir))
    record = json.dumps({"version": __version__, **comparison.record()}, indent=1, ensure_ascii=False) + "\n"
    written = out_dir / "comparison.json"
    if keep and written.exists() and (out_dir / "report.html").exists() and written.read_text() == record:
        return comparison, False
    from mmvideo.report.figures import write_figures
    from mmvideo.report.page import render

    out_dir.mkdir(parents=True, exist_ok=True)
    written.unlink(missing_ok=True)
    comparison.table.to_csv(out_dir / "summary.csv", index=False, float_format="%.6g")
    comparison.pairs.to_csv(out_dir / "pairs.csv", index=False, float_format="%.6g")
    write_figures(comparison, out_dir / "figures")
    (out_dir / "report.html").write_text(render(comparison, reproduce), encoding="utf-8")
    write_whole(written, record.encode())  # last: it is there if and only if the report is whole
    return comparison, True
