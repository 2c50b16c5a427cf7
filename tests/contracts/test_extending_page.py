"""docs/extending.md, done as written: its components keep their contracts, its study lists its runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmvideo.config import Input, RunConfig
from mmvideo.contract.check import check_component, chosen
from mmvideo.studies.loading import load_study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
FILES = (
    "mine/fusions.py",
    "mine/encoders.py",
    "mine/kinds.py",
    "mine/kinds_encoder.py",
    "mine/objectives.py",
    "my_study.py",
)
"""What the page's examples are called, in its order."""
BASE = """
from mmvideo.config import Input, RunConfig

def base(manifest: str = "manifest.jsonl") -> RunConfig:
    return RunConfig(inputs={"flow": Input.of("features"), "text": Input.of("text")})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's files beside the working directory."""
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == len(FILES)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "base.py").write_text(BASE, encoding="utf-8")
    for name, code in zip(FILES, examples, strict=True):
        assert f"`{name}`" in page
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "promises"),
    [("mine.fusions:Product", 13), ("mine.encoders:FeatureMlp", 12), ("mine.objectives:Confident", 4)],
)
def test_components_of_the_page_keep_their_contracts(name: str, promises: int) -> None:
    checked = check_component(chosen(name, {}))
    assert not checked.broken
    assert len(checked.outcomes) == promises  # as the page says


@pytest.mark.usefixtures("here")
def test_the_page_shows_what_the_check_says() -> None:
    shown = re.findall(r"^passed  (.*)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert shown == [
        outcome.promise for outcome in check_component(chosen("mine.fusions:Product", {})).outcomes
    ]


@pytest.mark.usefixtures("here")
def test_a_run_has_the_kind_of_modality_of_the_page() -> None:
    config = RunConfig(inputs={"pulse": Input.of("mine.kinds:Pulse", rest=70.0)})
    assert config.inputs["pulse"].encoder.name == "mine.kinds_encoder:PulseEncoder"


def test_the_study_of_the_page_has_its_arms(here: Path) -> None:
    study = load_study(str(here / "my_study.py"))
    assert [arm.name for arm in study.arms] == ["late-plain", "late-priced", "text", "flow"]
