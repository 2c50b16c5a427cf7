"""How each kind of modality but pictures is drawn: spectrogram, word pieces, features, and anything else."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmvideo.inspection.heard import Columns, Spectrogram, Waveform

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from mmvideo.inspection.views import ModalityView

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#8a8f98"
LANES = 6
"""Rows on which word pieces are staggered so that they stay readable."""
LETTERS = 13
"""Of a word piece that take an inch of the picture."""
STEADY = 1e-3
"""The least deviation by which a band is divided, as `mmvideo.encoders.audio.standardized` has it."""
OUTLIERS = 1.0
"""Per cent of feature values at either end that the colours do not tell apart."""


@dataclass(frozen=True)
class Panel:
    """A row of the picture."""

    draw: Callable[[ModalityView, Axes, Axes, float], None]
    """Given what is shown, its axes, those of a colour scale, and where the time axis ends in seconds."""
    height: float
    """Inches."""
    timed: bool = True
    """Whether it has the clip's time axis."""
    scaled: bool = False
    """Whether it has a colour scale."""


def panel_of(modality: ModalityView) -> Panel:
    """How the modality is drawn."""
    if not len(modality.values):
        return Panel(_absent, 0.35, timed=False)
    if modality.kind == "features" and len(modality.values) == 1:
        return Panel(_vector, 1.3, timed=False)
    if modality.kind == "audio":
        return SOUND[type(modality.heard)]
    return PANELS.get(modality.kind, Panel(_summary, 0.7))


def write_absent(part: SubFigure | Axes, modality: ModalityView) -> None:
    """The line that stands for an absent modality."""
    part.text(0.02, 0.5, f"{modality.name}: absent", fontsize=9, color=GREY, va="center")


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


def _inches(axes: Axes) -> float:
    """How wide the picture is."""
    whole = axes.get_figure(root=True)
    return float(whole.get_figwidth()) if whole is not None else 1.0


def _title(axes: Axes, text: str) -> None:
    """Above the panel's right end, in as many lines as it takes."""
    axes.set_title(textwrap.fill(text, int(LETTERS * _inches(axes))), fontsize=7, loc="right")


def _absent(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    axes.set_axis_off()
    write_absent(axes, modality)


def _spectrogram(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    import librosa.display

    shown = modality.heard
    assert isinstance(shown, Spectrogram)
    samples = modality.values.ravel()
    mel = log_mel(samples, shown.sample_rate, shown.hop, shown.mel_bins)
    if shown.standardized:
        mel = mel - mel.mean(axis=1, keepdims=True)
        mel /= np.maximum(mel.std(axis=1, keepdims=True), STEADY)
    picture = librosa.display.specshow(
        mel,
        sr=shown.sample_rate,
        hop_length=shown.hop,
        x_axis="time",
        y_axis="mel",
        fmax=shown.sample_rate / 2,
        htk=True,
        ax=axes,
        cmap="magma",
    )
    bar = axes.figure.colorbar(picture, cax=scale)
    scale.tick_params(labelsize=7)
    bar.set_label("standardised" if shown.standardized else "ln(mel power)", fontsize=7)
    axes.set_ylabel(f"{modality.name}\nHz, {shown.mel_bins} mel bins", fontsize=8)
    _title(axes, _peak(modality))


def _peak(modality: ModalityView) -> str:
    peak = float(np.abs(modality.values).max())
    return f"peak {peak:.2g} of full scale" + (": digital silence" if peak == 0 else "")


def _columns(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    shown = modality.heard
    assert isinstance(shown, Columns)
    one = len(shown.values) == 1
    values, times = (np.repeat(part, 1 + one, axis=0) for part in (shown.values, shown.times))
    if one:  # over all of the clip
        times = np.array([end / 4, 3 * end / 4], np.float32)
    _sequence(replace(modality, values=values, times=times), axes, scale, end)
    _title(axes, shown.title)


def _waveform(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    shown = modality.heard
    assert isinstance(shown, Waveform)
    samples = modality.values.ravel()
    seconds = np.arange(len(samples)) / shown.sample_rate
    axes.plot(seconds, samples, color=BLUE, linewidth=0.4, rasterized=True)
    axes.set_ylabel(f"{modality.name}\nof full scale", fontsize=8)
    _title(axes, f"{shown.title}; {_peak(modality)}")


def _pieces(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    texts = modality.pieces or tuple(str(piece) for piece in modality.values)
    free = np.full(LANES, -np.inf)
    inches = _inches(axes)
    for text, time in zip(texts, modality.times.tolist(), strict=True):
        lane = int(np.argmax(free <= time)) if np.any(free <= time) else int(np.argmin(free))
        free[lane] = max(free[lane], time) + (len(text) + 1) * end / (LETTERS * inches)
        y = 1 - (lane + 0.5) / LANES
        axes.plot([time, time], [0, y], color=GREY, linewidth=0.4, zorder=0)
        axes.annotate(
            text.replace("$", r"\$"),
            (time, y),
            fontsize=7,
            va="center",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": BLUE, "lw": 0.5},
        )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel(f"{modality.name}\n{len(texts)} word pieces", fontsize=8)


def _sequence(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    """A heat map: time across, dimensions upwards."""
    from matplotlib.ticker import MaxNLocator

    values, times = modality.values, modality.times
    count, width = values.shape
    half = float(times[1] - times[0]) / 2
    low, high = np.percentile(values, [OUTLIERS, 100 - OUTLIERS])
    picture = axes.imshow(
        values.T,
        aspect="auto",
        origin="lower",
        extent=(float(times[0]) - half, float(times[-1]) + half, -0.5, width - 0.5),
        cmap="viridis",
        vmin=low,
        vmax=high,
    )
    bar = axes.figure.colorbar(picture, cax=scale, extend="both")
    scale.tick_params(labelsize=7)
    bar.set_label("value", fontsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"{modality.name}\ndimension", fontsize=8)
    _title(axes, f"{count} vectors of {width} numbers")


def _vector(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    """A bar for each dimension."""
    from matplotlib.ticker import MaxNLocator

    values = modality.values[0]
    axes.stairs(values, np.arange(len(values) + 1) - 0.5, fill=True, color=BLUE)
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("dimension", fontsize=7)
    axes.set_ylabel(f"{modality.name}\nvalue", fontsize=8)
    _title(axes, f"one vector of {len(values)} numbers, at {modality.times[0]:.2f} s")


def _summary(modality: ModalityView, axes: Axes, scale: Axes, end: float) -> None:
    """Of a kind that this page knows nothing of: when its items are, their shape and range."""
    values = modality.values
    shape = "×".join(map(str, values.shape[1:])) or "one number"
    axes.plot(modality.times, np.full(len(values), 0.25), "|", color=BLUE, markersize=8)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel(modality.name, fontsize=8)
    _title(
        axes, f"{len(values)} items ({shape}), {values.dtype}, from {values.min():.3g} to {values.max():.3g}"
    )


SOUND = {
    Spectrogram: Panel(_spectrogram, 2.1, scaled=True),
    Columns: Panel(_columns, 2.1, scaled=True),
    Waveform: Panel(_waveform, 1.3),
}
PANELS = {
    "text": Panel(_pieces, 1.5),
    "features": Panel(_sequence, 1.5, scaled=True),
}
