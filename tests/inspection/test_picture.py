from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from mmvideo.encoders.audio import LOG_MEAN, LOG_SCALE, LogMel
from mmvideo.inspection.heard import Columns, Spectrogram, Waveform
from mmvideo.inspection.panels import log_mel
from mmvideo.inspection.picture import MOST_FRAMES, NARROW, draw, last_second, png
from mmvideo.inspection.views import ClipView, ModalityView

SPECTROGRAM = Spectrogram(16000, 160, 40)


def modality(name, kind, values, times, **more):
    return ModalityView(name, kind, values, np.asarray(times, np.float32), **more)


def film(count, name="visual"):
    return modality(name, "visual", np.zeros((count, 3, 8, 8), np.uint8), (np.arange(count) + 0.5) / 8)


def sound(hops):
    times = (np.arange(hops) + 0.5) * 0.01
    return modality("audio", "audio", np.zeros((hops, 160), np.float32), times, heard=SPECTROGRAM)


def words(pieces):
    ids = np.arange(len(pieces))
    return modality("text", "text", ids, [t for _, t in pieces], pieces=tuple(text for text, _ in pieces))


def features(count, width=5, name="flow"):
    values = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    return modality(name, "features", values, (np.arange(count) + 0.5) / 10)


def view(*modalities):
    return ClipView("x", "a", "test", seconds=1.0, window=1.0, modalities=modalities)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_spectrogram_shown_is_the_encoders(rate):
    hop = rate // 100
    waveform = np.random.default_rng(0).normal(0, 0.1, 50 * hop).astype(np.float32)
    encoder = LogMel(rate, hop, 40)
    ours = encoder(torch.from_numpy(waveform).view(1, 50, hop), torch.ones(1, 50, dtype=torch.bool))
    shown = log_mel(waveform, rate, hop, 40)
    assert shown.shape == (40, 50)
    np.testing.assert_allclose(ours[0].numpy() * LOG_SCALE + LOG_MEAN, shown, atol=2e-3)


@pytest.mark.parametrize(
    "shown",
    [
        view(film(0), sound(0), words([])),
        view(film(1), sound(0), words([])),
        view(film(100), sound(100), words([("hello", 0.1), ("##$x_{1", 0.1)])),
        view(sound(5)),
        view(film(0), words([(f"word{i}", i / 100) for i in range(100)])),
        view(film(3), film(2, "depth"), features(10), features(1, 300, "mrna"), features(0, 0, "gaze")),
        view(features(10, 1), features(1, 1, "age")),
        view(modality("pose", "joints", np.ones((4, 17, 2)), [0.1, 0.2, 0.4, 0.9])),
        view(modality("clock", "numbers", np.arange(3), [0.1, 0.2, 0.3])),
    ],
)
def test_any_presence_is_drawn(shown):
    assert png(draw(shown)).startswith(b"\x89PNG")


def heard_as(shown, hops=100):
    return replace(sound(hops), heard=shown)


@pytest.mark.parametrize("width", [NARROW, 10.0])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_sound_is_drawn_as_its_encoder_hears_it(count, width):
    values = np.random.default_rng(0).normal(size=(count, 120)).astype(np.float32)
    times = (np.arange(count) + 0.5) / count
    columns = heard_as(Columns(values, times.astype(np.float32), "40 MFCC"))
    (axes, *_) = draw(view(columns), width).subfigs[0].axes
    assert axes.get_title(loc="right") == "40 MFCC"
    np.testing.assert_array_equal(axes.images[0].get_array()[:, 0], values[0])
    waveform = heard_as(Waveform(16000, "a model hears it"))
    (axes, *_) = draw(view(waveform), width).subfigs[0].axes
    title = axes.get_title(loc="right").replace("\n", " ")
    assert title == "a model hears it; peak 0 of full scale: digital silence"
    assert len(axes.lines[0].get_xdata()) == 16000


def test_on_a_phone_letters_keep_their_size_and_nothing_runs_out():
    """The picture of a wide page was shrunk to a third, its letters to 3 pixels."""
    words_of_two_seconds = words([(f"word{i}", i / 10) for i in range(20)])
    told = "40 MFCC each 20 ms, means of 12 parts, beside mean and deviation of the clip, standardised"
    columns = heard_as(Columns(np.ones((12, 120), np.float32), np.arange(12, dtype=np.float32), told))
    figure = draw(view(film(20), sound(200), columns, words_of_two_seconds, features(10)), NARROW)
    figure.draw_without_rendering()
    shown = 358 / (figure.get_figwidth() * 72)  # a point in pixels of a phone
    width = figure.bbox.width
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible():
            assert text.get_fontsize() * shown >= 7, text
            box = text.get_window_extent()
            assert box.x0 >= -1, text
            assert box.x1 <= width + 1, text


def test_each_modality_is_named_and_what_is_absent_is_said():
    figure = draw(view(film(0), film(2, "depth"), sound(0), features(10), features(1, 7, "mrna")))
    said = " | ".join(text.get_text() for text in figure.findobj(Text))
    for text in ("visual: absent", "depth\n2 frames, 8×8", "audio: absent", "10 vectors of 5 numbers"):
        assert text in said
    assert "mrna\nvalue" in said
    assert "one vector of 7 numbers" in said


def test_features_are_drawn_by_time_and_dimension():
    shown = features(10)
    figure = draw(view(shown))
    picture = next(image for axes in figure.subfigs[0].axes for image in axes.images)
    np.testing.assert_array_equal(picture.get_array(), shown.values.T)
    np.testing.assert_allclose(picture.get_extent(), (0.0, 1.0, -0.5, 4.5), atol=1e-6)


def test_a_kind_of_ones_own_is_told_by_shape_and_range():
    pose = modality("pose", "joints", np.linspace(-1, 2, 24).reshape(4, 3, 2), [0.1, 0.2, 0.4, 0.9])
    (axes, _) = draw(view(pose)).subfigs[0].axes
    assert axes.get_title(loc="right") == "4 items (3×2), float64, from -1 to 2"


def test_the_clock_ends_with_the_last_item():
    assert last_second(view(film(8), sound(50))) == pytest.approx(1.0)
    assert last_second(view(film(0), words([("a", 0.2), ("b", 0.7)]))) == pytest.approx(0.7)
    assert last_second(view(film(0))) == 1.0


def test_many_frames_are_shown_evenly():
    figure = draw(view(film(100)))
    titles = [axes.get_title() for axes in figure.subfigs[0].axes if axes.get_title()]
    assert len(titles) == MOST_FRAMES
    assert (titles[0], titles[-1]) == ("0.06 s", "12.44 s")
