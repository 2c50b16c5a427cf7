"""Studies and bases are found by path, by module name and by name, and called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from mmvideo.errors import InputError
from mmvideo.studies.base import load_base, study_base
from mmvideo.studies.loading import load_function, load_study
from mmvideo.workers import run_all

STUDY_FILE = """
from neighbour import WIDTH
from mmvideo.config import RunConfig
from mmvideo.studies.study import Arm, Study

def study(name: str = "demo") -> Study:
    return Study(name, "Demo", (Arm("late", RunConfig(width=WIDTH)),), ("fusion",), (0,))

def nothing() -> None:
    pass
"""

BASES_FILE = """
from mmvideo.config import DataConfig, RunConfig

def mine(manifest: str = "data/mine/manifest.jsonl") -> RunConfig:
    return RunConfig(width=48, data=DataConfig(manifest=manifest))

def base(manifest: str = "data/mine/manifest.jsonl") -> RunConfig:
    return mine(manifest)

def fixed() -> RunConfig:
    return RunConfig(data=DataConfig(manifest="data/fixed/manifest.jsonl", frame_rate=3.0))

def none() -> None:
    pass
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "neighbour.py").write_text("WIDTH = 32")
    (tmp_path / "fusions.py").write_text(STUDY_FILE)
    (tmp_path / "bases.py").write_text(BASES_FILE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "deep.py").write_text(STUDY_FILE + BASES_FILE)
    return tmp_path


def test_a_study_file_runs_by_path_beside_its_neighbours(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = str(here / "fusions.py")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_study(file).arms[0].config.width == 32
    assert load_study(f"{file}:study", lambda function: function(name="other")).name == "other"
    assert load_function(file, "study").__name__ == "study"


def test_a_module_beside_the_working_directory_is_found_by_its_name(here: Path) -> None:
    before = list(sys.path)
    assert load_study("package.deep").arms[0].config.width == 32
    assert load_base("package.deep:mine").width == 48
    assert sys.path == before, "for no longer than it takes"


@pytest.mark.parametrize("spec", ["fusions.py", "package.deep"])
def test_a_file_that_is_called_like_a_library_does_not_hide_it(here: Path, spec: str) -> None:
    (here / "queue.py").write_text("raise RuntimeError('imported in the place of the library')")
    (here / "neighbour.py").write_text("WIDTH = 32\n\ndef double(number):\n    return 2 * number\n")
    (here / "fusions.py").write_text(
        "from importlib import reload\nimport queue\nreload(queue)\n" + STUDY_FILE
    )
    (here / "package" / "deep.py").write_text((here / "fusions.py").read_text())
    assert load_study(spec).arms[0].config.width == 32
    if spec == "fusions.py":  # workers import from the same folders, and multiprocessing imports queue
        double = importlib.import_module("neighbour").double
        assert [answer for _, answer in run_all(double, [21], workers=1)] == [42]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("fusions.py:stuyd", "Did you mean 'study'"),
        ("package.deep:stuyd", "Did you mean 'study'"),
        ("fusions.py:nothing", "it returned NoneType"),
        ("fusions.pyx", "There is no module"),
        ("a/fusions.py", "There is no Python file"),
        ("package.depe", "There is no module 'package.depe'"),
        ("my-package.deep", "There is no Python file"),
    ],
)
def test_what_is_no_study(here: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_study(spec)


def test_a_module_that_lacks_another_keeps_its_error(here: Path) -> None:
    (here / "needy.py").write_text("import not_there_at_all")
    with pytest.raises(InputError, match=r"cannot be imported: ModuleNotFoundError: .*not_there_at_all"):
        load_study("needy")


@pytest.mark.parametrize(
    ("spec", "manifest", "name"),
    [
        ("mine", None, "mine"),
        ("mine", "data/mine/manifest.jsonl", "mine"),
        ("mine", "/data/cats and dogs/manifest.jsonl", "mine-cats-and-dogs"),
        ("mine", "data/cats/half.jsonl", "mine-cats-half"),
        ("bases.py:fixed", "x/y/manifest.jsonl", "fixed-y"),
        ("package.deep:mine", None, "mine"),
        ("run", None, "run"),
        ("base", None, "mine"),
        ("base", "data/cats/half.jsonl", "cats-half"),
        ("package.deep:base", "data/cats/manifest.jsonl", "cats"),
        ("mine+flow", "data/cats/manifest.jsonl", "mine-cats+flow"),
        ("bases.py:fixed+flow+gaze", None, "fixed+flow+gaze"),
        ("run+flow", None, "run+flow"),
    ],
)
def test_a_study_is_called_by_its_base_and_data(
    here: Path, spec: str, manifest: str | None, name: str
) -> None:
    (here / "run").mkdir()
    (here / "run" / "config.json").write_text(load_base("bases.py:fixed").model_dump_json())
    found = study_base(spec, manifest, beside=str(here / "fusions.py"))
    assert found.name == name
    assert manifest in (None, found.config.data.manifest)
    assert found.config.data.frame_rate == (3.0 if spec.startswith(("run", "bases.py")) else 8.0)
    added = spec.split("+")[1:]
    assert found.config.modalities[-len(added or "x") :] == tuple(added) or not added
    assert {found.config.inputs[name].kind for name in added} <= {"features"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnie", "Unknown base configuration 'mnie'. Did you mean 'mine'?"),
        ("none", "it returned NoneType"),
        ("bases.py:fixde", "Did you mean 'fixed'"),
        ("nowhere.json", "There is no configuration 'nowhere.json'"),
        ("mine+text", "has an input called text; .* --set inputs.text=features"),
        ("mine+two words", r"'mine\+two words' is no configuration: .*two words"),
        ("mien+flow", "Did you mean 'mine'"),
    ],
)
def test_what_is_no_base(here: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        study_base(spec, beside=str(here / "fusions.py"))
