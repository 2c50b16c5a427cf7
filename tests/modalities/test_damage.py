"""Corruptions: a function of seed and clip, coherent in time, and the worse the more severe."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from mmvideo.clips.manifest import Clip
from mmvideo.components import MODALITY_KINDS
from mmvideo.modalities.corruptions import SEVERITIES, Damage
from mmvideo.modalities.corruptions.pictures import DamagedPictures
from mmvideo.modalities.corruptions.words import damaged_words
from mmvideo.store.clip_format import OpenClip, StoredClip, open_clip, write_clip
from mmvideo.store.subtitles import Word

RATE, FRAMES, SIDE = 8000, 24, 48
SENTENCE = "place the blue one at letter j by number nine again please and then set it down slowly"
TEXT = tuple(SENTENCE.split())
CLIPS = [Clip(id=f"clip{n}", video="v.mp4", label="a", split="test", group="g") for n in range(6)]


CORRUPTIONS = {kind: MODALITY_KINDS.resolve(kind).corruptions for kind in MODALITY_KINDS}


def made(kind: str, name: str, severity: int, seed: int = 0) -> Damage:
    return Damage(name, CORRUPTIONS[kind][name], severity, seed)


def pictures() -> ndarray:
    """A textured square that moves over a cluttered ground."""
    draw = np.random.default_rng(0)
    ground = draw.integers(60, 200, size=(SIDE // 4, SIDE // 4, 3)).repeat(4, axis=0).repeat(4, axis=1)
    frames = np.repeat(ground[None], FRAMES, axis=0).astype(np.uint8)
    patch = draw.integers(0, 255, size=(12, 12, 3), dtype=np.uint8)
    for time, frame in enumerate(frames):
        frame[10:22, time : time + 12] = patch
    return frames


def sound() -> ndarray:
    """A gliding, trembling voice of several harmonics, with breath."""
    seconds = np.arange(2 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(3 * seconds)) / RATE
    voice = sum(np.sin(k * pitch) / k for k in range(1, 12)) * (0.6 + 0.4 * np.sin(9 * seconds))
    breath = 0.02 * np.random.default_rng(1).standard_normal(len(seconds))
    return (0.1 * voice + breath).astype(np.float32)


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[], OpenClip]:
    words = tuple(Word(word, 0.12 * n, 0.12 * n + 0.1) for n, word in enumerate(TEXT))
    clip = StoredClip(pictures(), np.arange(FRAMES) / 12, sound(), words)
    write_clip(tmp_path / "clip", clip, None)
    return lambda: open_clip(tmp_path / "clip")  # type: ignore[return-value]


def of_pictures(damage: Damage, clip: Clip, given: OpenClip) -> ndarray:
    return DamagedPictures.over(given, damage, clip).frames(np.arange(FRAMES)).astype(float)


def pixel_distance(damage: Damage, clip: Clip, given: OpenClip) -> float:
    return float(np.abs(of_pictures(damage, clip, given) - pictures()).mean())


def sound_distance(damage: Damage, clip: Clip, given: OpenClip) -> float:
    clean = sound()
    damaged = damage.apply(clip, clean, RATE)
    assert damaged.shape == clean.shape
    if damage.name == "offset":  # by how much it has moved: with one sound, likeness comes and goes
        spectrum = np.fft.rfft(damaged, 4 * RATE) * np.fft.rfft(clean, 4 * RATE).conj()
        lag = int(np.fft.irfft(spectrum).argmax())
        return float(min(lag, 4 * RATE - lag))
    return float(np.sqrt(np.mean((damaged - clean) ** 2)))


def text_distance(damage: Damage, clip: Clip, given: OpenClip) -> float:
    """Characters that differ; or seconds that words have moved."""
    words = damaged_words(damage, clip, given)[1].clip.words
    if damage.name == "time_shift":
        return abs(words[0].start)
    alike = difflib.SequenceMatcher(None, " ".join(TEXT), " ".join(w.text for w in words), autojunk=False)
    return 1 - alike.ratio()


def vector_distance(damage: Damage, clip: Clip, given: OpenClip) -> float:
    values = np.random.default_rng(2).normal(3, 2, size=(7, 30))
    damaged = damage.apply(clip, values, np.full(30, 3.0), np.full(30, 2.0))
    moved = damaged - values
    if damage.name == "noise":
        np.testing.assert_allclose(moved, np.repeat(moved[:1], 7, axis=0), atol=1e-5)
    return float(np.abs(moved).mean())


DISTANCES = {
    "visual": pixel_distance,
    "audio": sound_distance,
    "text": text_distance,
    "features": vector_distance,
}
EVERY = [(kind, name) for kind, named in CORRUPTIONS.items() for name in named]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_the_more_severe_the_further_from_the_clip(kind: str, name: str, stored) -> None:
    with stored() as given:
        mean = [
            np.mean([DISTANCES[kind](made(kind, name, s), clip, given) for clip in CLIPS]) for s in SEVERITIES
        ]
    assert mean[0] > 0
    assert (np.diff(mean) > 0).all(), mean


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_function_of_seed_and_clip(kind: str, name: str, stored) -> None:
    def left(clip: Clip, seed: int = 0) -> bytes:
        damage = made(kind, name, 3, seed)
        if kind == "visual":
            return of_pictures(damage, clip, given).tobytes()
        if kind == "text":
            return repr(damaged_words(damage, clip, given)[1].clip.words).encode()
        vectors = np.ones((3, 30))
        of_kind = (clean, RATE) if kind == "audio" else (vectors, vectors[0] * 0, vectors[0])
        return np.asarray(damage.apply(clip, *of_kind)).tobytes()

    clean = sound()
    with stored() as given:
        assert left(CLIPS[0]) == left(CLIPS[0])
        ways = {left(clip, seed) for clip in CLIPS for seed in (0, 1)}
    drawn = name not in ("blur", "contrast", "jpeg", "frame_rate", "clipping", "low_pass")
    assert (len(ways) > 1) == drawn  # at least early and late


@pytest.mark.parametrize("name", ["gaussian_noise", "occlusion", "blur", "jpeg"])
def test_pictures_are_damaged_alike_in_all_frames(name: str, stored) -> None:
    """Whatever frames are asked for; what stands still goes on to stand still."""
    damage = made("visual", name, 4)
    with stored() as given:
        damaged = DamagedPictures.over(given, damage, CLIPS[0])
        some = damaged.frames(np.array([3, 20]))
        np.testing.assert_array_equal(some, damaged.frames(np.arange(FRAMES))[[3, 20]])
    if name != "jpeg":
        np.testing.assert_array_equal(some[0][40:], some[1][40:])


def test_fewer_frames_are_held(stored) -> None:
    with stored() as given:
        damaged = DamagedPictures.over(given, made("visual", "frame_rate", 3), CLIPS[0])
        clean = pictures()
        np.testing.assert_array_equal(damaged.frames(np.array([0, 3, 4, 9])), clean[[0, 0, 4, 8]])


def test_noise_is_at_its_level_and_silence_stays() -> None:
    clean = sound()
    for name in ("white_noise", "shaped_noise"):
        noise = made("audio", name, 2).apply(CLIPS[0], clean, RATE) - clean
        assert 10 * np.log10(np.mean(clean**2) / np.mean(noise**2)) == pytest.approx(10, abs=0.1)
    for name in CORRUPTIONS["audio"]:
        assert not made("audio", name, 5).apply(CLIPS[0], np.zeros(999, np.float32), RATE).any()


def test_metadata_are_words_too(stored) -> None:
    clip = CLIPS[0].model_copy(update={"metadata": {"title": " ".join(TEXT), "tags": ""}})
    with stored() as given:
        damaged, _ = damaged_words(made("text", "word_masking", 5), clip, given)
    assert damaged.metadata["title"].count("[unk]") > len(TEXT) / 2
    assert damaged.metadata["tags"] == ""


def test_a_word_stays() -> None:
    one = [Word("nine", 0.0, 0.5)]
    for name in ("word_deletion", "characters", "word_shuffle"):
        corruption = CORRUPTIONS["text"][name]
        for seed in range(20):
            found = corruption.apply(one, corruption.levels[-1], np.random.default_rng(seed))
            assert len(found) == 1
            assert found[0].text
        assert corruption.apply([], 0.5, np.random.default_rng(0)) == []
