"""The study of the fusion strategies: its arms, and how they are brought to one size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mmvideo.components import FUSIONS
from mmvideo.errors import InputError
from mmvideo.studies.loading import load_function
from mmvideo.studies.overrides import overridden
from mmvideo.studies.parity import fusion_parameters, sized
from mmvideo.studies.study import Study

SCRIPT = Path(__file__).parents[2] / "experiments" / "fusion_strategies.py"


BASES = """
from mmvideo.config import DataConfig, RunConfig

def small(manifest: str = "data/small/manifest.jsonl") -> RunConfig:
    return RunConfig(width=32, modalities=("visual", "text"), data=DataConfig(manifest=manifest))
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """The script's own function, on a base of a user's whose data are not there."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(BASES)
    return partial(load_function(str(SCRIPT), "study"), base=f"{tmp_path / 'mine.py'}:small")


def test_each_fusion_and_each_modality_alone_is_an_arm(study: Callable[..., Study]) -> None:
    found = study(fusions=("late", "gated"))
    assert [arm.name for arm in found.arms] == ["late", "gated", "visual", "text"]
    assert [arm.role for arm in found.arms[2:]] == ["control", "control"]
    assert found.axes == ("fusion", "modalities")
    assert found.name == "small"
    assert {arm.config.fusion_width for arm in found.arms} == {None}


def test_all_stands_for_every_registered_fusion(study: Callable[..., Study]) -> None:
    names = {arm.name for arm in study(fusions=("all",)).arms}
    assert names == set(FUSIONS) - {"single"} | {"visual", "text"}


def test_a_base_goes_by_its_name_and_planted_data_by_their_task(
    study: Callable[..., Study], tmp_path: Path
) -> None:
    assert study(base="ucf101").name == "ucf101"
    assert study(base="ucf101", manifest="data/ucf101/split2/manifest.jsonl").name == "ucf101-split2"
    (tmp_path / "planted.json").write_text('{"task": "routed"}')
    planted = study(base="planted", manifest=str(tmp_path / "manifest.jsonl"))
    assert planted.name == "routed"
    assert planted.limits is not None


def test_fusions_take_one_size_and_controls_stay(study: Callable[..., Study]) -> None:
    fusions = ("late", "early", "hierarchical")
    declared = study(fusions=fusions, match_parameters="hierarchical")
    found = sized(overridden(declared, ["width=16"]))
    arms = {arm.name: arm.config for arm in found.arms}
    target = fusion_parameters(arms["hierarchical"])
    for name in ("late", "early"):
        assert abs(fusion_parameters(arms[name]) - target) <= 0.05 * target
        assert arms[name].fusion_width is not None
    for name in ("hierarchical", "visual", "text"):
        assert arms[name].fusion_width is None
        assert arms[name].width == 16
    assert arms["visual"].fusion.name == "single"
    assert "fusion_width" in found.axes
    assert found.name == "small-matched", "its runs and report stand beside those of the unmatched study"
    assert len(found.runs()) == 5 * len(found.seeds), "no arm differs in anything but the axes"


@pytest.mark.parametrize("reference", ["hierarchal", "visual"])
def test_the_size_can_only_be_that_of_a_fusion_in_the_study(
    study: Callable[..., Study], reference: str
) -> None:
    with pytest.raises(InputError, match=rf"there is no arm '{reference}'; the arms are late, early"):
        sized(study(fusions=("late", "early"), match_parameters=reference))
