import numpy as np
import pytest
import torch

from mmvideo.encoders.audio import LOG_MEAN, LOG_SCALE, LogMel
from mmvideo.inspection.contents import ClipView
from mmvideo.inspection.picture import MOST_FRAMES, draw, log_mel, png


def view(frames=0, samples=0, pieces=()):
    return ClipView(
        id="x",
        label="a",
        split="test",
        seconds=1.0,
        window=1.0,
        frames=np.zeros((frames, 8, 8, 3), np.uint8),
        frame_times=np.arange(frames, dtype=np.float32) / 8,
        samples=np.zeros(samples, np.float32),
        sample_rate=16000,
        hop=160,
        pieces=tuple(pieces),
    )


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
        view(),
        view(frames=1),
        view(frames=100, samples=16000, pieces=[("hello", 0.1), ("##$x_{1", 0.1)]),
        view(samples=800),
        view(pieces=[(f"word{i}", i / 100) for i in range(100)]),
    ],
)
def test_any_presence_is_drawn(shown):
    assert png(draw(shown, 40)).startswith(b"\x89PNG")


def test_many_frames_are_shown_evenly():
    figure = draw(view(frames=100), 40)
    titles = [axes.get_title() for axes in figure.subfigs[0].axes if axes.get_title()]
    assert len(titles) == MOST_FRAMES
    assert (titles[0], titles[-1]) == ("0.00 s", "12.38 s")
