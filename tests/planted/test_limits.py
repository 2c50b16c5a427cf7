"""The limits of the planted tasks: by hand, by counting draws, and by trying to beat them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from mmvideo.planted import TASKS, Task, bayes_accuracy, get_task, limits
from mmvideo.planted.limits import additive_ceiling, additive_converged, subset_key
from mmvideo.planted.tasks import World
from mmvideo.vocabulary import MODALITIES

DRAWS = 200_000
SUBSETS = [c for size in range(4) for c in combinations(MODALITIES, size)]

BY_HAND = {
    # label = what is seen (half of the time) or heard: with sight alone 1/2 + 1/2 · 1/4, and so on
    ("routed", ()): 0.25,
    ("routed", ("visual",)): 0.625,
    ("routed", ("audio",)): 0.625,
    ("routed", ("text",)): 0.25,
    ("routed", ("visual", "audio")): 0.625,  # equal (1/4): certain; else a coin between the two
    ("routed", ("visual", "text")): 0.625,
    ("routed", ("audio", "text")): 0.625,
    ("routed", MODALITIES): 1.0,
    **{("synergy", subset): 1.0 if len(subset) == 3 else 0.5 for subset in SUBSETS},
    **{("sync", subset): 1.0 if set(subset) >= {"visual", "audio"} else 0.25 for subset in SUBSETS},
    **{
        (f"unique_{modality}", subset): 1.0 if modality in subset else 0.25
        for modality in MODALITIES
        for subset in SUBSETS
    },
    # naive Bayes over channels that are right with 0.7 and else one of three others (0.1 each)
    **{
        ("redundant", subset): {0: 0.25, 1: 0.7, 2: 0.7}[len(subset)] for subset in SUBSETS if len(subset) < 3
    },
    # all agree: 0.343; a majority of two: 3 · 3 · 0.49 · 0.1; all differ: each of the three is as likely
    ("redundant", MODALITIES): 0.7**3 + 9 * 0.7**2 * 0.1 + 6 * 0.7 * 0.1**2,
    ("mixed", ()): 0.25,
    ("mixed", ("text",)): 0.25,
    # asked for (0.55) or not, and agreeing then with 0.3 + 0.7/4; nothing seen: 1/4
    ("mixed", ("visual",)): 0.92 * (0.55 + 0.45 * 0.475) + 0.08 * 0.25,
    ("mixed", ("audio",)): 0.92 * (0.45 + 0.55 * 0.475) + 0.08 * 0.25,
}


@pytest.mark.parametrize(("task", "subset"), BY_HAND)
def test_bayes_by_hand(task: str, subset: tuple[str, ...]) -> None:
    assert bayes_accuracy(task, subset) == pytest.approx(BY_HAND[task, subset], abs=1e-12)


@cache
def draws(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and symbols (n, 3) of independent draws; −1 where a modality shows nothing."""
    worlds = get_task(name).worlds
    rows = np.array(
        [[w.label, *(-1 if s is None else s for s in (w.visual, w.audio, w.text))] for w in worlds]
    )
    p = np.array([w.probability for w in worlds])
    drawn = rows[np.random.default_rng(0).choice(len(rows), size=DRAWS, p=p / p.sum())]
    return drawn[:, 0], drawn[:, 1:]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("subset", SUBSETS, ids=subset_key)
def test_bayes_is_what_the_majority_label_of_each_observation_scores(
    task: str, subset: tuple[str, ...]
) -> None:
    """Learn a table on one half of the draws and score it on the other."""
    labels, symbols = draws(task)
    observed = np.zeros(DRAWS, np.int64)
    for index, modality in enumerate(MODALITIES):
        if modality in subset:
            observed = observed * 26 + symbols[:, index] + 1
    _, observed = np.unique(observed, return_inverse=True)
    table = np.zeros((observed.max() + 1, labels.max() + 1))
    half = DRAWS // 2
    np.add.at(table, (observed[:half], labels[:half]), 1)
    scored = float((table.argmax(axis=1)[observed[half:]] == labels[half:]).mean())
    limit = bayes_accuracy(task, subset)
    error = np.sqrt(max(0.0, limit * (1 - limit)) / half)
    assert scored == pytest.approx(limit, abs=4.5 * error + 1e-9)


def test_more_modalities_never_tell_less() -> None:
    for name in TASKS:
        for subset in SUBSETS:
            for more in SUBSETS:
                if set(subset) < set(more):
                    assert bayes_accuracy(name, subset) <= bayes_accuracy(name, more) + 1e-12


def additive_accuracy(task: Task, terms: Sequence[np.ndarray]) -> float:
    """Accuracy of argmax_y Σ_m terms[m][symbol, y]; ties lose, as for the ceiling."""
    total = 0.0
    for world in task.worlds:
        scores = sum(terms[m][symbol] for m, symbol in enumerate(_symbols(world)))
        assert isinstance(scores, np.ndarray)
        others = np.delete(scores, world.label)
        total += world.probability * bool((scores[world.label] > others).all())
    return total


def _symbols(world: World) -> tuple[int, int, int]:
    assert world.visual is not None
    assert world.audio is not None
    assert world.text is not None
    return world.visual, world.audio, world.text


def test_additive_limits_of_routed() -> None:
    assert additive_converged("routed") == pytest.approx(0.625, abs=1e-6)
    assert additive_ceiling("routed") == pytest.approx(13 / 16, abs=1e-6)


def test_additive_limits_of_synergy() -> None:
    assert additive_converged("synergy") == pytest.approx(0.5, abs=1e-6)
    assert additive_ceiling("synergy") == pytest.approx(0.75, abs=1e-6)


def test_the_ceiling_of_synergy_is_reached_and_never_beaten() -> None:
    """A threshold on the sum gets three of four groups; random terms get at most as much, and some do."""
    task = get_task("synergy")
    rng = np.random.default_rng(0)
    found = [additive_accuracy(task, rng.standard_normal((3, 2, 2))) for _ in range(3000)]
    assert max(found) == pytest.approx(0.75)


def test_random_additive_rules_never_beat_the_ceiling_of_routed() -> None:
    task = get_task("routed")
    rng = np.random.default_rng(0)
    for _ in range(300):
        terms = [rng.standard_normal((size, 4)) * rng.uniform(0.1, 4) for size in (4, 4, 2)]
        assert additive_accuracy(task, terms) <= 13 / 16 + 1e-9
    voting = [np.eye(4), np.eye(4) * 0.999, np.zeros((2, 4))]
    assert additive_accuracy(task, voting) == pytest.approx(0.625)


@pytest.mark.parametrize("modality", MODALITIES)
def test_where_one_modality_has_it_all_adding_is_no_handicap(modality: str) -> None:
    assert additive_converged(f"unique_{modality}") == pytest.approx(1, abs=1e-6)


def test_independent_channels_are_best_added() -> None:
    """Naive Bayes is additive in log-probabilities, so additive models lose nothing on `redundant`."""
    assert additive_converged("redundant") == pytest.approx(bayes_accuracy("redundant"), abs=1e-6)


def test_additive_models_fall_short_on_mixed_and_sync() -> None:
    assert 0.5 < additive_converged("mixed") < bayes_accuracy("mixed") - 0.05
    assert additive_converged("sync") < bayes_accuracy("sync") - 0.05
    assert additive_ceiling("sync") is None  # too many observations for an exact answer


def test_limits_gathers_them_under_readable_names() -> None:
    found = limits("synergy")
    assert found.task == "synergy"
    assert found.bayes["none"] == found.bayes["visual+text"] == pytest.approx(0.5)
    assert found.bayes["visual+audio+text"] == pytest.approx(1)
    assert len(found.bayes) == 8
    assert (found.additive_converged, found.additive_ceiling) == (pytest.approx(0.5), pytest.approx(0.75))
    assert subset_key(["text", "visual"]) == "visual+text"
