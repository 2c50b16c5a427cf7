"""One clip as the model gets it, in one picture: frames, log-mel spectrogram and word pieces on one clock."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmvideo.report.style import COLOURS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from mmvideo.inspection.contents import ClipView

COLUMNS, MOST_FRAMES = 8, 24
WIDTH = 10.0
"""Inches."""
LANES = 6
"""Rows on which word pieces are staggered so that they stay readable."""


def draw(view: ClipView, mel_bins: int) -> Figure:
    """The picture. Absent modalities have a line that says so."""
    from matplotlib.figure import Figure

    shown = _chosen(len(view.frames))
    rows = -(-len(shown) // COLUMNS)
    above = 1.45 * rows if rows else 0.4
    heights = [2.1 if len(view.samples) else 0.35, 1.5 if view.pieces else 0.35]
    figure = Figure(figsize=(WIDTH, above + sum(heights) + 0.4), layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=[above, sum(heights) + 0.4])
    _frames(figure.add_subfigure(parts[0]), view, shown)
    grid = figure.add_subfigure(parts[1]).subplots(
        2, 2, height_ratios=heights, width_ratios=[1, 0.012], squeeze=False
    )
    _spectrogram(grid[0, 0], grid[0, 1], view, mel_bins)
    _pieces(grid[1, 0], view)
    grid[1, 1].set_axis_off()
    _clock(list(grid[:, 0]), view)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    return buffer.getvalue()


def log_mel(samples: NDArray[np.float32], sample_rate: int, hop: int, mel_bins: int) -> NDArray[np.float32]:
    """ln(mel power + 1e-6), (mel_bins, columns): librosa's version of what the audio encoder computes."""
    import librosa

    from mmvideo.encoders.audio import LOG_FLOOR, window_samples

    power = librosa.feature.melspectrogram(
        y=samples,
        sr=sample_rate,
        n_fft=window_samples(sample_rate),
        hop_length=hop,
        n_mels=mel_bins,
        pad_mode="constant",
        htk=True,
        norm=None,
    )
    logarithm: NDArray[np.float32] = np.log(power[:, : len(samples) // hop] + LOG_FLOOR)
    return logarithm


def _last(view: ClipView) -> float:
    """Where the time axis ends."""
    ends = [
        len(view.samples) / view.sample_rate,
        max(view.frame_times, default=0.0),
        max((t for _, t in view.pieces), default=0.0),
    ]
    return float(max(ends)) or view.window


def _chosen(count: int) -> NDArray[np.intp]:
    """All frames, or as many as fit, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(np.intp))


def _frames(part: SubFigure, view: ClipView, shown: NDArray[np.intp]) -> None:
    if not len(shown):
        _nothing(part, "visual: absent")
        return
    rows = -(-len(shown) // COLUMNS)
    grid = part.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, shown, strict=False):
        axes.imshow(view.frames[index], interpolation="nearest")
        axes.set_title(f"{view.frame_times[index]:.2f} s", fontsize=8, color="#444", pad=3)
    height, width = view.frames.shape[1:3]
    left_out = f", {len(shown)} of them shown" if len(shown) < len(view.frames) else ""
    part.supylabel(f"visual\n{len(view.frames)} frames, {width}×{height}{left_out}", fontsize=8)


def _spectrogram(axes: Axes, scale: Axes, view: ClipView, mel_bins: int) -> None:
    if not len(view.samples):
        axes.set_axis_off()
        scale.set_axis_off()
        _nothing(axes, "audio: absent")
        return
    import librosa.display

    values = log_mel(view.samples, view.sample_rate, view.hop, mel_bins)
    picture = librosa.display.specshow(
        values,
        sr=view.sample_rate,
        hop_length=view.hop,
        x_axis="time",
        y_axis="mel",
        fmax=view.sample_rate / 2,
        htk=True,
        ax=axes,
        cmap="magma",
    )
    bar = axes.figure.colorbar(picture, cax=scale)
    scale.tick_params(labelsize=7)
    bar.set_label("ln(mel power)", fontsize=7)
    peak = float(np.abs(view.samples).max())
    axes.set_ylabel(f"audio\nHz, {mel_bins} mel bins", fontsize=8)
    axes.set_title(
        f"peak {peak:.2g} of full scale" + (": digital silence" if peak == 0 else ""), fontsize=7, loc="right"
    )


def _pieces(axes: Axes, view: ClipView) -> None:
    if not view.pieces:
        axes.set_axis_off()
        _nothing(axes, "text: absent")
        return
    last = _last(view)
    free = np.full(LANES, -np.inf)
    for text, time in view.pieces:
        # a letter takes about 1/130 of the axis at this size
        lane = int(np.argmax(free <= time)) if np.any(free <= time) else int(np.argmin(free))
        free[lane] = max(free[lane], time) + (len(text) + 1) * last / 130
        y = 1 - (lane + 0.5) / LANES
        axes.plot([time, time], [0, y], color=GREY, linewidth=0.4, zorder=0)
        axes.annotate(
            text.replace("$", r"\$"),
            (time, y),
            fontsize=7,
            va="center",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": COLOURS[0], "lw": 0.5},
        )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel(f"text\n{len(view.pieces)} word pieces", fontsize=8)


def _clock(rows: Sequence[Axes], view: ClipView) -> None:
    """One time axis for all rows, labelled below the last; frames are marks along its bottom edge."""
    used = [axes for axes in rows if axes.axison]
    for axes in used:
        axes.set_xlim(0, _last(view))
        axes.set_xlabel("")
        axes.tick_params(labelsize=7)
        axes.plot(
            view.frame_times,
            np.zeros(len(view.frame_times)),
            linestyle="none",
            marker="^",
            color=COLOURS[1],
            markersize=5,
            clip_on=False,
            zorder=5,
            transform=axes.get_xaxis_transform(),
        )
    if used:
        used[-1].set_xlabel("seconds from the window's start; ▲ frames", fontsize=7)


def _nothing(part: SubFigure | Axes, text: str) -> None:
    part.text(0.02, 0.5, text, fontsize=9, color=GREY, va="center")
