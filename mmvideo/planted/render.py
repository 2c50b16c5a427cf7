"""From a symbol to what is seen, heard or read. Everything but the symbol is nuisance, drawn at random.

Each renderer hides its factor where only the intended ability finds it: motion cannot be read off one frame
(positions are uniform on a torus), a pitch contour not off the mean spectrum (all are two sweeps of the same
band), who-does-what not off a bag of words (all variants use the same words).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom

from mmvideo.planted.tasks import FLASH_ORDERS, Symbol

SIZE = 64  # pixels, both sides
FRAME_RATE = 16  # frames per second
SECONDS = 1.0
SAMPLE_RATE = 16000  # Hz
FRAMES = int(FRAME_RATE * SECONDS)
SAMPLES = int(SAMPLE_RATE * SECONDS)
CONTOURS = ((True, True), (False, False), (True, False), (False, True))  # whether each sweep of a chirp rises
SPEED = (6.0, 8.0)  # pixels a frame: at 8 frames a second about a quarter of the way round between frames


@dataclass(frozen=True)
class Session:
    """What the clips of one group share: a group is a recording session, and never crosses splits."""

    tint: np.ndarray  # (3,) added to the background's colour
    transpose: float  # factor on all pitches
    narrator: str

    @staticmethod
    def draw(rng: np.random.Generator) -> Session:
        narrator = str(rng.choice(["anna", "ben", "carla", "david", "eva", "felix", "greta", "hugo"]))
        return Session(rng.uniform(-30, 30, size=3), float(2 ** rng.uniform(-0.25, 0.25)), narrator)


@dataclass(frozen=True)
class Cue:
    """One subtitle."""

    text: str
    start: float
    end: float


def motion(symbol: Symbol, rng: np.random.Generator, session: Session) -> np.ndarray:
    """A textured shape moving right, left, down or up over clutter; `None`: clutter alone. (T, H, W, 3)."""
    background = _clutter(rng, session)
    if symbol is None:
        return np.repeat(background[None], FRAMES, axis=0)
    direction = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)][symbol])
    size = int(rng.integers(18, 26))
    texture, mask = _shape(rng, size)
    start, speed = rng.uniform(0, SIZE, size=2), rng.uniform(*SPEED)
    frames = np.repeat(background[None], FRAMES, axis=0)
    for t, frame in enumerate(frames):
        top, left = np.round(start + direction * speed * t).astype(int)
        rows, columns = (np.arange(top, top + size) % SIZE)[:, None], np.arange(left, left + size) % SIZE
        frame[rows, columns] = np.where(mask[..., None], texture, frame[rows, columns])
    return frames


def flashes(symbol: Symbol, rng: np.random.Generator, session: Session) -> np.ndarray:
    """Four objects at fixed places; in quarter `slot` of the clip, `FLASH_ORDERS[symbol][slot]` is lit."""
    assert symbol is not None
    frames = np.repeat(_clutter(rng, session)[None], FRAMES, axis=0)
    size = 16
    corners = [(8, 8), (8, 40), (40, 8), (40, 40)]
    textures = [_shape(rng, size) for _ in corners]
    for t, frame in enumerate(frames):
        lit = FLASH_ORDERS[symbol][t * 4 // FRAMES]
        for index, (top, left) in enumerate(corners):
            texture, mask = textures[index]
            colour = np.full_like(texture, 250) if index == lit else texture // 2
            area = frame[top : top + size, left : left + size]
            area[mask] = colour[mask]
    return frames


def chirp(symbol: Symbol, rng: np.random.Generator, session: Session) -> np.ndarray:
    """Two sweeps of a tone in noise, each up or down: ↑↑, ↓↓, ↑↓ or ↓↑. (S,) in [-1, 1].

    A sweep and its reverse have the same spectrum, and the tone is silent at the band's edges, where sweeps
    meet. So neither the mean spectrum nor that of its logarithm tells the contours apart.
    """
    noise = rng.standard_normal(SAMPLES) * 0.05
    if symbol is None:
        return noise.astype(np.float32)
    margin = int(rng.integers(0, SAMPLES // 10))
    up = np.linspace(0, 1, SAMPLES // 2 - margin)
    height = np.concatenate([up if rises else up[::-1] for rises in CONTOURS[symbol]])
    frequency = 400 * session.transpose * 2 ** (2 * height)
    tone = np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE + rng.uniform(0, 2 * np.pi))
    tone *= np.minimum(1, 8 * np.minimum(height, 1 - height))
    noise[margin : SAMPLES - margin] += rng.uniform(0.1, 0.3) * tone
    return noise.astype(np.float32)


def beep(symbol: Symbol, rng: np.random.Generator, session: Session) -> np.ndarray:
    """A short tone inside quarter `symbol` of the clip, in noise."""
    assert symbol is not None
    wave = rng.standard_normal(SAMPLES) * 0.05
    length = SAMPLES // 8
    first = symbol * SAMPLES // 4 + int(rng.integers(SAMPLES // 32, SAMPLES // 4 - length - SAMPLES // 32))
    time = np.arange(length) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 900 * session.transpose * time)
    wave[first : first + length] += 0.4 * np.hanning(length) * tone
    return wave.astype(np.float32)


def query(symbol: Symbol, rng: np.random.Generator, session: Session) -> list[Cue]:
    """Asks for what is seen (0) or what is heard (1), in the same words; `None`: the words are mumbled."""
    templates = [
        "tell what you {} , ignore what you {}",
        "report what you {} and never what you {}",
        "what did you {} ? not what did you {}",
    ]
    asked = [("see", "hear"), ("hear", "see")][symbol] if symbol is not None else ("mmh", "mmh")
    sentence = str(rng.choice(templates)).format(*asked)
    return _cues(f"{session.narrator} says : {sentence}", rng)


def order(symbol: Symbol, rng: np.random.Generator, session: Session) -> list[Cue]:
    """Who chases whom and who follows whom: two bits, always the same words."""
    assert symbol is not None
    chase = ("fox", "dog") if symbol % 2 == 0 else ("dog", "fox")
    follow = ("cat", "owl") if symbol // 2 == 0 else ("owl", "cat")
    link = str(rng.choice(["while", "and", "as"]))
    sentence = "the {} chases the {} {} the {} follows the {}".format(*chase, link, *follow)
    return _cues(f"{session.narrator} says : {sentence}", rng)


MediaRenderer = Callable[[Symbol, np.random.Generator, Session], np.ndarray]
TextRenderer = Callable[[Symbol, np.random.Generator, Session], list[Cue]]

VISUAL: dict[str, MediaRenderer] = {"motion": motion, "flashes": flashes}
AUDIO: dict[str, MediaRenderer] = {"chirp": chirp, "beep": beep}
TEXT: dict[str, TextRenderer] = {"query": query, "order": order}


def _clutter(rng: np.random.Generator, session: Session) -> np.ndarray:
    """A smooth random background, (H, W, 3) uint8."""
    coarse = rng.uniform(60, 120, size=(8, 8, 3)) + session.tint
    return np.clip(zoom(coarse, (SIZE / 8, SIZE / 8, 1), order=1), 0, 255).astype(np.uint8)


def _shape(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A random texture (size, size, 3) uint8 and the mask of a disc, square or triangle."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    masks = [x**2 + y**2 <= 1, np.maximum(abs(x), abs(y)) <= 0.9, abs(x) <= (y + 1) / 2]
    cells = np.where(
        rng.random((4, 4, 1)) < 0.5, rng.uniform(150, 190, size=3), rng.uniform(215, 255, size=3)
    )
    texture = np.kron(cells, np.ones((size // 4 + 1, size // 4 + 1, 1)))[:size, :size]
    return texture.astype(np.uint8), masks[int(rng.integers(3))]


def _cues(sentence: str, rng: np.random.Generator) -> list[Cue]:
    """The sentence as two subtitles, one after the other, within the clip."""
    words = sentence.split()
    half = len(words) // 2
    turn = float(rng.uniform(0.4, 0.6)) * SECONDS
    return [Cue(" ".join(words[:half]), 0.0, turn), Cue(" ".join(words[half:]), turn, SECONDS)]
