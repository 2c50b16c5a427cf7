"""The study of the fusion strategies: its arms, and how they are brought to one size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.components import FUSIONS
from mmvideo.config import DataConfig, NamedConfig, RunConfig
from mmvideo.errors import InputError
from mmvideo.studies.loading import load_function
from mmvideo.studies.parity import fusion_parameters
from mmvideo.studies.study import Study

SCRIPT = Path(__file__).parents[2] / "experiments" / "fusion_strategies.py"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """The script's own function, on a configuration whose data need not be there."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    function: Callable[..., Study] = load_function(str(SCRIPT), "study")
    data = DataConfig(manifest=str(tmp_path / "manifest.jsonl"))
    base = RunConfig(width=32, modalities=("visual", "text"), data=data)
    monkeypatch.setitem(function.__globals__, "base_config", lambda *_: base)
    return function


def test_each_fusion_and_each_modality_alone_is_an_arm(study: Callable[..., Study]) -> None:
    found = study(fusions=("late", "gated"))
    assert [arm.name for arm in found.arms] == ["late", "gated", "visual", "text"]
    assert [arm.role for arm in found.arms[2:]] == ["control", "control"]
    assert found.axes == ("fusion", "modalities")
    assert {arm.config.fusion_width for arm in found.arms} == {None}


def test_all_stands_for_every_registered_fusion(study: Callable[..., Study]) -> None:
    names = {arm.name for arm in study(fusions=("all",)).arms}
    assert names == set(FUSIONS) - {"single"} | {"visual", "text"}


def test_fusions_take_one_size_and_controls_stay(study: Callable[..., Study]) -> None:
    fusions = ("late", "early", "hierarchical")
    found = study(fusions=fusions, match_parameters="hierarchical")
    arms = {arm.name: arm.config for arm in found.arms}
    target = fusion_parameters(arms["hierarchical"])
    for name in ("late", "early"):
        assert abs(fusion_parameters(arms[name]) - target) <= 0.05 * target
        assert arms[name].fusion_width is not None
    for name in ("hierarchical", "visual", "text"):
        assert arms[name].fusion_width is None
    assert arms["visual"].fusion == NamedConfig(name="single")
    assert "fusion_width" in found.axes
    assert found.name == "planted-matched", "its runs and report stand beside those of the unmatched study"
    assert len(found.runs()) == 5 * len(found.seeds), "no arm differs in anything but the axes"


@pytest.mark.parametrize("reference", ["hierarchal", "visual"])
def test_the_size_can_only_be_that_of_a_fusion_in_the_study(
    study: Callable[..., Study], reference: str
) -> None:
    with pytest.raises(InputError, match=rf"there is no arm '{reference}'; the arms are late, early"):
        study(fusions=("late", "early"), match_parameters=reference)
