"""A study's ready-made views on W&B: a workspace, whose panels are grouped by arm, and a report.

W&B groups a sample of at most 100 runs and has no intervals of ours, so the report's numbers are a table made
from the study's own record; its curves are W&B's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmvideo.errors import InputError
from mmvideo.evaluation.display import MetricDisplay
from mmvideo.evaluation.tasks import TASKS
from mmvideo.study_records import ComparisonRecord

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces

HEADS = (
    "arm",
    "kind",
    "seeds",
    "test score",
    "difference to the best single modality",
    "adjusted p",
    "verdict",
)
LACKING = (
    "mmvideo dashboard --wandb needs wandb-workspaces, which is not installed: "
    "`pip install 'mmvideo[workspaces]'`."
)


def publish(record: ComparisonRecord, project: str, entity: str, reported: Sequence[str]) -> tuple[str, str]:
    """Make both views on W&B; their addresses. See `workspace_of`.

    Raises:
        InputError: W&B refuses them, or wandb-workspaces is not installed.
    """
    workspace = workspace_of(record, project, entity, reported)
    report = report_of(record, project, entity, reported, there=True)
    try:
        return str(workspace.save().url), str(report.save().url)
    except Exception as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"W&B did not take the views of '{record.study}' in {entity}/{project}: {told}"
        ) from error


def workspace_of(
    record: ComparisonRecord, project: str, entity: str, reported: Sequence[str]
) -> workspaces.Workspace:
    """The study's runs grouped by arm, curves as mean and standard deviation over the seeds.

    Args:
        reported: what fusions report of themselves, as W&B calls it (`val/gates_visual`).
    """
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ModuleNotFoundError as error:
        raise InputError(LACKING) from error
    tables = [wr.WeavePanelSummaryTable(table_name=name) for name in ("comparison", "pairs", "hardest")]
    result = [wr.MediaBrowser(media_keys=["report"]), *tables]
    sections = [
        ws.Section(name=name, panels=panels, is_open=True)
        for name, panels in {"Curves": _curves(record, reported), "Result of the study": result}.items()
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"mmvideo: {record.study}"[:128],
        sections=sections,
        runset_settings=ws.RunsetSettings(filters=_of_study(record), groupby=[ws.Config("arm")]),
    )


def report_of(
    record: ComparisonRecord, project: str, entity: str, reported: Sequence[str], *, there: bool = False
) -> reports.Report:
    """The answer, the table of all arms from our record, and W&B's curves below.

    Args:
        there: whether the project can be looked up, which names it in the set of runs; else they are those
            of the project that the report stands in.
    """
    try:
        import wandb_workspaces.reports.v2 as wr
    except ModuleNotFoundError as error:
        raise InputError(LACKING) from error
    place = {"entity": entity, "project": project} if there else {}
    runs = wr.Runset(name=record.study, filters=_of_study(record), groupby=["config.arm"], **place)
    return wr.Report(
        entity=entity,
        project=project,
        title=f"{record.title} ({record.study})"[:128],
        description=record.answer[:1000],
        blocks=[
            wr.MarkdownBlock(text=text(record)),
            wr.H2(text="Curves, mean and standard deviation over the seeds"),
            wr.PanelGrid(runsets=[runs], panels=_curves(record, reported)),
        ],
    )


def text(record: ComparisonRecord) -> str:
    """The report's words and numbers, in Markdown: all from the record."""
    display = TASKS[record.task].display
    lines = [plain(record.answer), "", *(f"- {plain(line)}" for line in record.qualified_by), ""]
    lines += [_row(HEADS), _row(["---"] * len(HEADS))]
    lines += [_row(_cells(arm, TASKS[record.task].score, display)) for arm in record.arms]
    over = f"{record.n_clips} test clips in {record.n_groups} groups, {len(record.seeds)} seeds"
    lines += [
        "",
        f"n = {over}. Score: {display.axis}, with its 95 % interval. Intervals and p of differences hold for "
        "all fusions together; rows without p are not tested.",
    ]
    return "\n".join([*lines, "", *(f"- {plain(note)}" for note in record.notes)]).rstrip()


def _cells(arm: Mapping[str, Any], score: str, display: MetricDisplay) -> list[str]:
    def interval(middle: str, low: str, high: str, sign: bool) -> str:
        if _unknown(arm.get(middle)):
            return "–"
        value = (display.change if sign else display.value)(arm[middle])
        ends = [display.value(math.nan if _unknown(arm.get(end)) else arm[end]) for end in (low, high)]
        return f"{value} [{', '.join(ends)}]"

    p = arm.get("adjusted_p")
    return [
        str(arm["arm"]),
        str(arm["kind"]),
        "–" if _unknown(arm.get("n_seeds")) else f"{arm['n_seeds']:.0f}",
        interval(score, "low", "high", sign=False),
        interval("difference", "difference_low", "difference_high", sign=True),
        "–" if p is None or _unknown(p) else "< 0.001" if p < 0.001 else f"{p:.3f}",
        str(arm.get("verdict") or ""),
    ]


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell if set(cell) == {'-'} else plain(cell) for cell in cells)} |"


def plain(words: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", " ".join(words.split()))


def _of_study(record: ComparisonRecord) -> str:
    return f"Config('study') = {record.study!r}"


def _curves(record: ComparisonRecord, reported: Sequence[str]) -> list[Any]:
    """Over steps, a line an arm."""
    import wandb_workspaces.reports.v2 as wr

    score = TASKS[record.task].score
    modalities = dict.fromkeys(
        name for arm in record.arms for name in str(arm["modalities"]).split("+") if name
    )
    alone = [f"val/{score}_only_{name}" for name in modalities]
    wanted = dict.fromkeys([f"val/{score}", "val/loss", "train/loss", *alone, *reported])
    return [
        wr.LinePlot(
            title=name,
            x="step",
            y=[name],
            groupby=wr.Config("arm"),
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
        )
        for name in wanted
    ]
