"""The interaction suite: which arms it has, what they start from, and who is trained for longer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.components import FUSIONS
from mmvideo.errors import InputError
from mmvideo.planted import get_task
from mmvideo.studies.loading import load_function
from mmvideo.studies.study import Study

SCRIPT = Path(__file__).parents[2] / "experiments" / "interactions.py"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """The script's own function. Nobody makes the data, or teaches encoders."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    function: Callable[..., Study] = load_function(str(SCRIPT), "study")
    return function


def test_every_strategy_is_an_arm_and_so_are_the_variants(study: Callable[..., Study]) -> None:
    found = study(task="sync", fusions=("all",))
    names = {arm.name for arm in found.arms}
    assert names == set(FUSIONS) - {"single"} | {"hierarchical_unaligned", "stems", "stems_unaligned"}
    assert len(found.seeds) == 5
    assert found.limits is not None
    assert len(found.runs()) == 5 * len(names), "no arm differs in anything but the fusion"


def test_encoders_are_those_of_finished_runs_and_stay_as_they_are(study: Callable[..., Study]) -> None:
    config = study(task="sync", fusions=("late",), root=Path("elsewhere")).arms[0].config
    assert config.encoders_frozen
    taught = ("flashes-s0", "beep-s0", f"{get_task('sync').text}-s0")
    assert config.encoders_from == tuple(f"elsewhere/perception/{run}" for run in taught)
    trained = study(fusions=("late",), encoders="trained").arms[0].config
    assert not trained.encoders_frozen
    assert trained.encoders_from == ()


@pytest.mark.parametrize("encoders", ["frozen", "trained"])
def test_a_larger_budget_is_another_study(study: Callable[..., Study], encoders: str) -> None:
    short, long = (study(fusions=("late",), encoders=encoders, budget=budget) for budget in (1, 5))
    assert long.name == f"{short.name}-x5"
    assert long.arms[0].config.train.epochs == 5 * short.arms[0].config.train.epochs
    assert long.arms[0].config.train.patience == long.arms[0].config.train.epochs, "it does not stop early"


def test_unknown_names_are_refused(study: Callable[..., Study]) -> None:
    with pytest.raises(InputError, match=r"planted task 'rooted'.*routed"):
        study(task="rooted")
    with pytest.raises(InputError, match=r"fusion 'lat'.*late"):
        study(fusions=("lat",))
