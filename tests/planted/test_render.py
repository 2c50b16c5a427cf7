"""Each factor is hidden where only the intended ability finds it, and shown to whoever has that ability."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import kstest

from mmvideo.planted import render
from mmvideo.planted.render import FRAMES, SAMPLES, SECONDS, SIZE, Cue, Session
from mmvideo.planted.tasks import FLASH_ORDERS, Symbol

STEPS = {0: (0, 1), 1: (0, -1), 2: (1, 0), 3: (-1, 0)}
CLIPS = 120


def session(seed: int = 0) -> Session:
    return Session.draw(np.random.default_rng(seed))


def moving(symbol: Symbol, seed: int) -> np.ndarray:
    """Where the shape is in each frame: (T, H, W) bool, against the clutter of the same draw."""
    frames = render.motion(symbol, np.random.default_rng(seed), session())
    clutter = render.motion(None, np.random.default_rng(seed), session())
    return (frames != clutter).any(axis=3)


def centre(mask: np.ndarray) -> np.ndarray:
    """Circular centroid (row, column) in pixels of one frame's shape on the torus."""
    angles = 2 * np.pi * np.array(np.nonzero(mask)) / SIZE
    return np.angle(np.exp(1j * angles).mean(axis=1)) % (2 * np.pi) * SIZE / (2 * np.pi)


class TestMotion:
    def test_shape_and_type(self) -> None:
        frames = render.motion(0, np.random.default_rng(0), session())
        assert frames.shape == (FRAMES, SIZE, SIZE, 3)
        assert frames.dtype == np.uint8

    def test_nothing_to_see_is_still_clutter(self) -> None:
        frames = render.motion(None, np.random.default_rng(0), session())
        assert (frames == frames[0]).all()
        assert frames[0].std() > 5

    @pytest.mark.parametrize("symbol", range(4))
    def test_the_shape_moves_that_way(self, symbol: int) -> None:
        for seed in range(10):
            masks = moving(symbol, seed)
            steps = np.diff([centre(mask) for mask in masks], axis=0)
            steps = (steps + SIZE / 2) % SIZE - SIZE / 2
            along = steps @ np.array(STEPS[symbol])
            across = steps @ np.array(STEPS[symbol])[::-1]
            low, high = render.SPEED
            assert along.min() > low - 1.5
            assert along.max() < high + 1.5
            assert np.abs(across).mean() < 1

    def test_the_first_frame_is_the_same_whichever_way_it_goes(self) -> None:
        first = [render.motion(symbol, np.random.default_rng(5), session())[0] for symbol in range(4)]
        assert all((frame == first[0]).all() for frame in first)

    @pytest.mark.parametrize("symbol", range(4))
    def test_a_late_frames_position_is_uniform_whichever_way_it_goes(self, symbol: int) -> None:
        centres = np.array([centre(moving(symbol, seed)[11]) for seed in range(CLIPS)])
        for axis in range(2):
            assert kstest(centres[:, axis] / SIZE, "uniform").pvalue > 0.01

    def test_size_texture_and_colour_vary(self) -> None:
        sizes = {int(moving(0, seed)[0].sum()) for seed in range(20)}
        assert len(sizes) > 8


class TestFlashes:
    @pytest.mark.parametrize("symbol", [0, 7, 23])
    def test_one_object_is_lit_in_each_quarter(self, symbol: int) -> None:
        frames = render.flashes(symbol, np.random.default_rng(0), session()).astype(float)
        corners = [(8, 8), (8, 40), (40, 8), (40, 40)]
        for t, frame in enumerate(frames):
            bright = [frame[top : top + 16, left : left + 16].mean() for top, left in corners]
            assert int(np.argmax(bright)) == FLASH_ORDERS[symbol][t * 4 // FRAMES]

    def test_the_mean_frame_tells_nothing(self) -> None:
        means = [
            render.flashes(symbol, np.random.default_rng(0), session()).mean(axis=0) for symbol in range(24)
        ]
        assert max(np.abs(mean - means[0]).max() for mean in means) == 0


class TestChirp:
    def spectrogram(self, symbol: Symbol, seed: int) -> np.ndarray:
        """Power (columns, frequencies) in Hann windows of 64 ms, a half apart."""
        samples = render.chirp(symbol, np.random.default_rng(seed), session())
        windows = np.lib.stride_tricks.sliding_window_view(samples.astype(float), 1024)[::512]
        return np.abs(np.fft.rfft(windows * np.hanning(1024), axis=1)) ** 2

    def test_shape_type_and_range(self) -> None:
        for symbol in (None, 0):
            samples = render.chirp(symbol, np.random.default_rng(0), session())
            assert samples.shape == (SAMPLES,)
            assert samples.dtype == np.float32
            assert np.abs(samples).max() < 1

    @pytest.mark.parametrize("symbol", range(4))
    def test_the_pitch_follows_its_contour(self, symbol: int) -> None:
        """Within each half, the loudest pitch goes up or down as the contour says."""
        for seed in range(10):
            power = self.spectrogram(symbol, seed)
            octaves = np.log2(power.argmax(axis=1).clip(1))
            early, late = len(power) // 4, 3 * len(power) // 4
            for middle, rises in zip((early, late), render.CONTOURS[symbol], strict=True):
                change = octaves[middle + 2] - octaves[middle - 2]
                assert (change if rises else -change) > 0.3

    def test_nothing_can_be_read_off_the_mean_spectrum(self) -> None:
        """A linear rule on its logarithm and on the mean of logarithms, fitted to 3/4, is at chance."""
        truth = np.arange(1200) % 4
        spectra: list[np.ndarray] = []
        for seed, symbol in enumerate(truth):
            samples = render.chirp(int(symbol), np.random.default_rng(seed), session(seed // 8)).astype(float)
            windows = np.lib.stride_tricks.sliding_window_view(samples, 512)[::256] * np.hanning(512)
            power = np.abs(np.fft.rfft(windows, axis=1)[:, :72]) ** 2
            spectra.append(np.concatenate([np.log(power.mean(axis=0)), np.log(power).mean(axis=0)]))
        inputs = np.c_[np.array(spectra) - np.mean(spectra, axis=0), np.ones(1200)]
        fitted = np.arange(1200) < 900
        weights, *_ = np.linalg.lstsq(inputs[fitted], np.eye(4)[truth[fitted]], rcond=None)
        right = (inputs[~fitted] @ weights).argmax(axis=1) == truth[~fitted]
        assert right.mean() < 0.25 + 3 * np.sqrt(0.25 * 0.75 / 300), right.mean()

    def test_noise_alone_has_no_tone(self) -> None:
        power = self.spectrogram(None, 0).mean(axis=0)
        assert power.max() < 3 * np.median(power)


@pytest.mark.parametrize("symbol", range(4))
def test_the_beep_sounds_in_its_quarter(symbol: int) -> None:
    for seed in range(10):
        samples = render.beep(symbol, np.random.default_rng(seed), session())
        energy = (samples.reshape(4, -1) ** 2).sum(axis=1)
        assert energy.argmax() == symbol
        assert np.delete(energy, symbol).max() < 2 * np.delete(energy, symbol).min()


class TestWords:
    def said(self, cues: list[Cue]) -> list[str]:
        return " ".join(cue.text for cue in cues).split()

    @pytest.mark.parametrize(("name", "symbols"), [("query", 2), ("order", 4)])
    def test_a_bag_of_words_tells_nothing_and_their_order_all(self, name: str, symbols: int) -> None:
        for seed in range(20):
            said = [
                self.said(render.TEXT[name](s, np.random.default_rng(seed), session()))
                for s in range(symbols)
            ]
            assert all(Counter(words) == Counter(said[0]) for words in said)
            assert len({tuple(words) for words in said}) == symbols

    def test_a_query_names_first_what_it_asks_for(self) -> None:
        for seed in range(20):
            for symbol, first in [(0, "see"), (1, "hear")]:
                words = self.said(render.query(symbol, np.random.default_rng(seed), session()))
                assert next(w for w in words if w in ("see", "hear")) == first

    def test_a_mumbled_query_names_neither(self) -> None:
        words = self.said(render.query(None, np.random.default_rng(0), session()))
        assert not {"see", "hear"} & set(words)
        assert words.count("mmh") == 2

    @pytest.mark.parametrize(("symbol", "phrases"), [
        (0, ("the fox chases the dog", "the cat follows the owl")),
        (1, ("the dog chases the fox", "the cat follows the owl")),
        (2, ("the fox chases the dog", "the owl follows the cat")),
        (3, ("the dog chases the fox", "the owl follows the cat")),
    ])  # fmt: skip
    def test_an_order_says_who_does_what(self, symbol: int, phrases: tuple[str, str]) -> None:
        sentence = " ".join(self.said(render.order(symbol, np.random.default_rng(0), session())))
        assert all(phrase in sentence for phrase in phrases)

    def test_cues_follow_one_another_within_the_clip(self) -> None:
        for seed in range(10):
            first, second = render.order(0, np.random.default_rng(seed), session())
            assert first.start == 0
            assert first.end == second.start
            assert 0.4 <= first.end <= 0.6
            assert second.end == SECONDS
