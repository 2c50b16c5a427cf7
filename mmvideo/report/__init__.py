"""From a study's run directories to tables, figures and a page that survive a reviewer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmvideo.files import make_folder, remove_abandoned, write_whole, writing
from mmvideo.report.clips import PICTURED, Still, hardest
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.contributions import readable_contributions
from mmvideo.report.given import folder_of
from mmvideo.report.load import load_study
from mmvideo.report.robustness import robustness_frames
from mmvideo.report.runs import StudyRuns
from mmvideo.study_records import COMPARISON

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Comparison", "write_report"]


def write_report(
    study_dir: str | Path,
    out_dir: str | Path,
    *,
    reproduce: str = "",
    keep: bool = False,
    margin: float | None = None,
    stills: Callable[[StudyRuns, Sequence[str]], Mapping[str, Still]] | None = None,
) -> tuple[Comparison, bool]:
    """Compare a study's finished runs and write what came out.

    Writes `report.html`, `summary.csv`, `pairs.csv`, `comparison.json`, `figures/` into `out_dir`; where
    they were measured, also `contributions.csv`, `robustness.csv` and its areas and pairs.

    Args:
        study_dir: the folder with study.json and the run directories.
        reproduce: the command that makes this report, to show on the page beside that of the study.
        keep: leave a report as it is if it says the same already.
        margin: of equivalence, in the score's unit; None: the task's own.
        stills: gives, of a study's clips so named, those that can be shown; None: none can.

    Returns:
        The comparison, and whether it was written.

    Raises:
        InputError: the runs cannot be compared, and the message names what differs; or the report cannot be
            written.
    """
    study_dir = folder_of(study_dir, "write_report", "of a study")
    out_dir = folder_of(out_dir, "write_report", "that the report is written to")
    comparison = compare(load_study(study_dir), margin)
    record, written, page = comparison.record().text(), out_dir / COMPARISON, out_dir / "report.html"
    if keep and page.exists() and _holds(written, record):
        return comparison, False
    from mmvideo.report.figures import write_figures
    from mmvideo.report.page import render

    make_folder(out_dir, "--out")
    remove_abandoned(out_dir)
    with writing(written):
        written.unlink(missing_ok=True)
    tables = {"summary": comparison.table, "pairs": comparison.pairs} | _afterwards(comparison)
    for name, table in tables.items():
        write_whole(out_dir / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    write_figures(comparison, out_dir / "figures")
    shown = stills(comparison.study, hardest(comparison.study)["id"][:PICTURED].tolist()) if stills else {}
    write_whole(page, render(comparison, reproduce, shown))
    write_whole(written, record)  # last: it is there if and only if the report is whole
    return comparison, True


def _afterwards(comparison: Comparison) -> dict[str, DataFrame]:
    """What was measured of the finished runs beside their training, if anything was."""
    found = robustness_frames(comparison.study)
    tables = {
        "contributions": readable_contributions(comparison.study),
        "robustness": found.curves,
        "robustness_areas": found.areas,
        "robustness_pairs": found.pairs,
    }
    return {name: table for name, table in tables.items() if len(table)}


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
