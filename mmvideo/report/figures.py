"""The report's figures as files for papers and slides: PNG and PDF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmvideo.files import write_whole
from mmvideo.report.compare import Comparison
from mmvideo.report.style import MATPLOTLIB_DASHES, MATPLOTLIB_MARKERS, Style, limit_lines, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOK: Any = {
    "font.size": 9, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e6ea", "grid.linewidth": 0.7, "axes.axisbelow": True,
    "axes.edgecolor": "#9aa0a8", "xtick.color": "#4a4f57", "ytick.color": "#1c1f24",
    "axes.labelcolor": "#4a4f57", "legend.frameon": False, "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
}  # fmt: skip


def write_figures(comparison: Comparison, folder: Path) -> list[Path]:
    """Write `accuracy` (or the task's score), `learning_curves` and `cost`, each as .png (200 dpi) and .pdf.

    Returns:
        The files, in this order.
    """
    import matplotlib

    look = styles(comparison.table)
    files = []
    with matplotlib.rc_context(LOOK):
        for name, figure in (
            (comparison.study.task.score, _score(comparison, look)),
            ("learning_curves", _learning_curves(comparison, look)),
            ("cost", _cost(comparison, look)),
        ):
            for suffix in ("png", "pdf"):
                files.append(folder / f"{name}.{suffix}")
                # no date inside: the same runs give the same files
                metadata = {"CreationDate": None} if suffix == "pdf" else None
                buffer = io.BytesIO()
                figure.savefig(buffer, format=suffix, dpi=200, metadata=metadata)
                write_whole(files[-1], buffer.getvalue())
    return files


def _new(width: float, height: float, columns: int) -> tuple[Figure, list[Axes]]:
    """A figure outside pyplot's global state, which would keep it alive and ask for a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, sharey=True, squeeze=False)
    for axis in axes[0, 1:]:
        axis.tick_params(left=False)
    return figure, list(axes[0])


def _plain(name: str) -> str:
    """A name without matplotlib's formula syntax."""
    return name.replace("$", r"\$")


def _score(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Per arm: test score, and its difference to the best single modality, each with the 95 % interval."""
    table, task = comparison.table, comparison.study.task
    wording = task.display
    figure, (left, right) = _new(7.6, 1.1 + 0.27 * len(table), 2)
    for place, row in enumerate(table.to_dict("records")):
        style = look[row["arm"]]
        dot: dict[str, Any] = {
            "fmt": MATPLOTLIB_MARKERS[style.marker],
            "color": style.colour,
            "ms": 5,
            "elinewidth": 1.6,
        }
        score, low, high = (wording.factor * row[name] for name in (task.score, "low", "high"))
        left.errorbar(score, place, xerr=[[score - low], [high - score]], **dot)
        left.plot(
            [wording.factor * row["bayes_accuracy"]] * 2,
            [place - 0.35, place + 0.35],
            color="#1c1f24",
            lw=1.2,
        )
        difference, low, high = (
            wording.factor * row[name] for name in ("difference", "difference_low", "difference_high")
        )
        right.errorbar(difference, place, xerr=[[difference - low], [high - difference]], **dot)
    left.set_yticks(range(len(table)), [_plain(name) for name in table["arm"]])
    left.set_ylim(len(table) - 0.4, -0.6)
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    lines = limit_lines(comparison.study.limits)
    for label, value in lines.items():
        left.axvline(100 * value, color="#6b7078", lw=0.9, ls=(0, (4, 3)))
        side = "left" if value == max(lines.values()) else "right"
        left.annotate(
            label, (100 * value, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha=side, fontsize=7.5, color="#6b7078",
        )  # fmt: skip
    bars = "; bar: arm's Bayes accuracy" if comparison.study.limits else ""
    left.set_xlabel(f"test {wording.axis} (95 % interval{bars})")
    right.axvline(0, color="#1c1f24", lw=0.9)
    reference = comparison.best_unimodal or "best single modality"
    right.set_xlabel(f"difference to {_plain(reference)}{wording.change_axis}")
    return figure


def _learning_curves(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Validation score against epochs and against seconds; band: least to most over the seeds."""
    from matplotlib.ticker import MaxNLocator

    wording = comparison.study.task.display
    factor = wording.factor
    figure, axes = _new(7.6, 3.3, 2)
    arms = {arm.name: arm for arm in comparison.study.arms}
    for name in (name for name in comparison.table["arm"] if name in arms):
        curve, chosen, style = arms[name].validation_curve(), arms[name].chosen(), look[name]
        for axis, x in zip(axes, ("epoch", "seconds"), strict=True):
            axis.plot(chosen[x], factor * chosen["score"], "o", color=style.colour, ms=3.5, mfc="none")
            line: dict[str, Any] = {"color": style.colour, "ls": MATPLOTLIB_DASHES[style.dash], "lw": 1.5}
            if len(curve) == 1:  # no line goes through one point
                line["marker"] = MATPLOTLIB_MARKERS[style.marker]
            axis.plot(curve[x], factor * curve["mean"], label=_plain(name), **line)
            axis.fill_between(
                curve[x], factor * curve["low"], factor * curve["high"], color=style.colour, alpha=0.13, lw=0
            )
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(xlabel="epoch", ylabel=f"validation {wording.axis}")
    axes[1].set(xlabel="training time, s")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    return figure


def _cost(comparison: Comparison, look: dict[str, Style]) -> Figure:
    """Test score against what it costs."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure, axes = _new(7.6, 3.2, 3)
    wording, score = comparison.study.task.display, comparison.study.task.score
    costs = {
        "parameters": "parameters",
        "flops_per_clip": "FLOPs per clip",
        "train_seconds": "training time, s",
    }
    for axis, (cost, label) in zip(axes, costs.items(), strict=True):
        for row in comparison.table[comparison.table["parameters"].notna()].to_dict("records"):
            style = look[row["arm"]]
            dot: dict[str, Any] = {
                "marker": MATPLOTLIB_MARKERS[style.marker],
                "color": style.colour,
                "ls": "",
                "ms": 6,
            }
            axis.plot(row[cost], wording.factor * row[score], label=_plain(row["arm"]), **dot)
        axis.set(xlabel=label, xlim=(0, None))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_major_locator(MaxNLocator(4))
    axes[0].set_ylabel(f"test {wording.axis}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    return figure
