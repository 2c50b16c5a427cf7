"""One clip as the model is given it, in one picture: frames above, all else below on one clock."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmvideo.inspection.panels import ORANGE, Panel, panel_of, write_absent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from mmvideo.inspection.views import ClipView, ModalityView

MOST_FRAMES = 24
IN_TRAINING = " in training"
WIDTH, NARROW = 10.0, 4.2
"""Inches, as all lengths here: of a page's picture, and of a phone's."""
FRAME_COLUMN = 1.25
FRAME_ROW, ABSENT_ROW, CLOCK = 1.45, 0.4, 0.4


def draw(view: ClipView, width: float = WIDTH) -> Figure:
    """The picture, so wide. Absent modalities have a line that says so."""
    from matplotlib.figure import Figure

    films = [m for m in view.modalities if m.kind == "visual"]
    changed = {m.name: [(m, IN_TRAINING)] for m in view.changed if len(m.values)}
    panels = [(m, panel_of(m)) for m in view.modalities if m.kind != "visual"]
    columns = int(width / FRAME_COLUMN)
    strips = [strip for m in films for strip in ((m, ""), *changed.get(m.name, ()))]
    heights = [FRAME_ROW * -(-len(shown_frames(m)) // columns) or ABSENT_ROW for m, _ in strips]
    if panels:
        heights.append(sum(panel.height for _, panel in panels) + CLOCK)
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    parts = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for place, (film, how) in enumerate(strips):
        _frames(figure.add_subfigure(parts[place]), film, columns, how)
    if panels:
        _panels(figure.add_subfigure(parts[-1]), panels, view)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    return buffer.getvalue()


def shown_frames(film: ModalityView) -> NDArray[np.intp]:
    """All frames, or as many as fit, evenly."""
    count = len(film.values)
    return np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(np.intp))


def _frames(part: SubFigure, film: ModalityView, columns: int, how: str) -> None:
    shown = shown_frames(film)
    if not len(shown):
        write_absent(part, film)
        return
    grid = part.subplots(-(-len(shown) // columns), columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, shown, strict=False):
        axes.imshow(film.values[index].transpose(1, 2, 0), interpolation="nearest")
        axes.set_title(f"{film.times[index]:.2f} s", fontsize=8, color="#444", pad=3)
    height, width = film.values.shape[2:]
    left_out = f", {len(shown)} of them shown" if len(shown) < len(film.values) else ""
    part.supylabel(f"{film.name}{how}\n{len(film.values)} frames, {width}×{height}{left_out}", fontsize=8)


def _panels(part: SubFigure, panels: Sequence[tuple[ModalityView, Panel]], view: ClipView) -> None:
    """What is not frames, one below the other, each with room for a colour scale beside it."""
    end = last_second(view)
    grid = part.subplots(
        *(len(panels), 2),
        height_ratios=[panel.height for _, panel in panels],
        width_ratios=[1, 0.012],
        squeeze=False,
    )
    for (modality, panel), (axes, scale) in zip(panels, grid, strict=True):
        if not panel.scaled:
            scale.set_axis_off()
        panel.draw(modality, axes, scale, end)
        axes.tick_params(labelsize=7)
    timed = [axes for (_, panel), axes in zip(panels, grid[:, 0], strict=True) if panel.timed]
    _clock(timed, [m for m in view.modalities if m.kind == "visual"], end)


def _clock(rows: Sequence[Axes], films: Sequence[ModalityView], end: float) -> None:
    """One time axis for all rows, labelled below the last; frames are marks along their bottom edges."""
    for axes in rows:
        axes.set_xlim(0, end)
        axes.set_xlabel("")
        for film in films:
            axes.plot(
                film.times,
                np.zeros(len(film.times)),
                linestyle="none",
                marker="^",
                color=ORANGE,
                markersize=5,
                clip_on=False,
                zorder=5,
                transform=axes.get_xaxis_transform(),
            )
    if rows:
        marks = "; ▲ frames" if any(len(film.times) for film in films) else ""
        rows[-1].set_xlabel(f"seconds from the window's start{marks}", fontsize=7)


def last_second(view: ClipView) -> float:
    """Where the time axis ends: with the last item. Times are those of the items' centres."""
    ends = [0.0]
    for modality in view.modalities:
        times = modality.times
        if len(times):
            half = (times[1] - times[0]) / 2 if len(times) > 1 and modality.kind != "text" else 0.0
            ends.append(float(times.max() + half))
    return max(ends) or view.window
