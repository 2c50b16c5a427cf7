"""From a study's run directories to tables, figures and a page that survive a reviewer."""

from __future__ import annotations

from pathlib import Path

from mmvideo.files import make_folder, remove_abandoned, write_whole, writing
from mmvideo.report.compare import Comparison, compare
from mmvideo.report.load import load_study
from mmvideo.study_records import COMPARISON

__all__ = ["Comparison", "write_report"]


def write_report(
    study_dir: Path, out_dir: Path, *, reproduce: str = "", keep: bool = False, margin: float | None = None
) -> tuple[Comparison, bool]:
    """Compare a study's finished runs and write what came out.

    Writes `report.html`, `summary.csv`, `pairs.csv`, `comparison.json` and `figures/` into `out_dir`.

    Args:
        study_dir: the folder with study.json and the run directories.
        reproduce: the command that made the study, to show on the page.
        keep: leave a report as it is if it says the same already.
        margin: of equivalence, in the score's unit; None: the task's own.

    Returns:
        The comparison, and whether it was written.

    Raises:
        InputError: the runs cannot be compared, and the message names what differs; or the report cannot be
            written.
    """
    comparison = compare(load_study(study_dir), margin)
    record, written, page = comparison.record().text(), out_dir / COMPARISON, out_dir / "report.html"
    if keep and page.exists() and _holds(written, record):
        return comparison, False
    from mmvideo.report.figures import write_figures
    from mmvideo.report.page import render

    make_folder(out_dir)
    remove_abandoned(out_dir)
    with writing(written):
        written.unlink(missing_ok=True)
    for name, table in (("summary", comparison.table), ("pairs", comparison.pairs)):
        write_whole(out_dir / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    write_figures(comparison, out_dir / "figures")
    write_whole(page, render(comparison, reproduce))
    write_whole(written, record)  # last: it is there if and only if the report is whole
    return comparison, True


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()
