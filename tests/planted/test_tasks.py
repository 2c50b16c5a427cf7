"""The planted tasks are the distributions they claim to be."""

from __future__ import annotations

import numpy as np
import pytest

from mmvideo.errors import InputError
from mmvideo.planted import TASKS, get_task
from mmvideo.planted.render import AUDIO, TEXT, VISUAL
from mmvideo.planted.tasks import FLASH_ORDERS, World


def probability(name: str, **shown: int | None) -> float:
    """P(label = …, visual = …, …) of a task, over the worlds that match."""
    worlds = get_task(name).worlds
    return sum(w.probability for w in worlds if all(getattr(w, key) == value for key, value in shown.items()))


@pytest.mark.parametrize("name", TASKS)
def test_worlds_are_distinct_possible_and_sum_to_one(name: str) -> None:
    task = get_task(name)
    assert task.name == name
    assert sum(w.probability for w in task.worlds) == pytest.approx(1, abs=1e-12)
    assert all(w.probability > 0 for w in task.worlds)
    assert len({(w.label, w.visual, w.audio, w.text) for w in task.worlds}) == len(task.worlds)
    assert {w.label for w in task.worlds} == set(range(task.classes))


@pytest.mark.parametrize("name", TASKS)
def test_labels_are_balanced(name: str) -> None:
    classes = get_task(name).classes
    assert [probability(name, label=y) for y in range(classes)] == pytest.approx([1 / classes] * classes)


@pytest.mark.parametrize("name", TASKS)
def test_the_renderers_it_names_exist(name: str) -> None:
    task = get_task(name)
    assert task.visual in VISUAL
    assert task.audio in AUDIO
    assert task.text in TEXT


@pytest.mark.parametrize("modality", ["visual", "audio", "text"])
def test_unique_shows_the_label_in_one_modality(modality: str) -> None:
    worlds = get_task(f"unique_{modality}").worlds
    assert len(worlds) == 64
    assert all(w.label == getattr(w, modality) for w in worlds)


def test_routed_and_synergy_follow_their_rule() -> None:
    assert all(w.label == (w.visual if w.text == 0 else w.audio) for w in get_task("routed").worlds)
    assert len(get_task("routed").worlds) == 32
    for w in get_task("synergy").worlds:
        assert None not in (w.visual, w.audio, w.text)
        assert w.label == (w.visual ^ w.audio ^ w.text)  # type: ignore[operator]


def test_sync_is_the_object_that_flashes_with_the_beep() -> None:
    assert sorted(FLASH_ORDERS) == sorted(set(FLASH_ORDERS))
    assert len(FLASH_ORDERS) == 24
    for w in get_task("sync").worlds:
        assert w.visual is not None
        assert w.audio is not None
        assert w.label == FLASH_ORDERS[w.visual][w.audio]


def test_redundant_channels_tell_the_truth_seven_times_in_ten() -> None:
    for modality in ("visual", "audio", "text"):
        assert sum(probability("redundant", label=y, **{modality: y}) for y in range(4)) == pytest.approx(0.7)
        assert probability("redundant", label=0, **{modality: 3}) == pytest.approx(0.25 * 0.1)
    assert probability("redundant", label=1, visual=1, audio=1, text=2) == pytest.approx(
        0.25 * 0.7 * 0.7 * 0.1
    )


def test_mixed_by_hand() -> None:
    """Agreement 0.3 on top of chance, the subtitle asks for sight with 0.55, each channel lost with 0.08."""
    assert probability("mixed", visual=None) == pytest.approx(0.08)
    assert probability("mixed", visual=None, audio=None, text=None) == pytest.approx(0.08**3)
    assert probability("mixed", text=0) == pytest.approx(0.92 * 0.55)
    agreeing = sum(probability("mixed", visual=s, audio=s) for s in range(4))
    assert agreeing == pytest.approx(0.92**2 * (0.3 + 0.7 / 4))
    assert probability("mixed", label=2, visual=2, audio=1, text=0) == pytest.approx(
        0.92**3 * 0.55 * 0.7 / 16
    )
    assert probability("mixed", label=1, visual=2, audio=1, text=0) == 0


def test_mixed_is_its_description_drawn() -> None:
    """Draws made as the description says have the worlds' frequencies."""
    rng, n = np.random.default_rng(0), 400_000
    seen = rng.integers(4, size=n)
    heard = np.where(rng.random(n) < 0.3, seen, rng.integers(4, size=n))
    asked = (rng.random(n) >= 0.55).astype(int)
    label = np.where(asked == 0, seen, heard)
    lost = rng.random((3, n)) < 0.08
    shown = [np.where(gone, -1, symbol) for gone, symbol in zip(lost, (seen, heard, asked), strict=True)]
    code = np.ravel_multi_index([label, *(s + 1 for s in shown)], (4, 5, 5, 3))
    counts = np.bincount(code, minlength=300) / n

    def place(w: World) -> int:
        symbols = [0 if s is None else s + 1 for s in (w.visual, w.audio, w.text)]
        return int(np.ravel_multi_index([w.label, *symbols], (4, 5, 5, 3)))

    expected = np.zeros(300)
    for world in get_task("mixed").worlds:
        expected[place(world)] = world.probability
    assert not counts[expected == 0].any()
    error = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(counts - expected) <= 5 * error).all()


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"Unknown planted task 'sinergy'. Did you mean 'synergy'\? Known: mixed, "
    ):
        get_task("sinergy")
