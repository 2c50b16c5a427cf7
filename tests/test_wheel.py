"""A wheel works by itself: recipes and studies are in it, and nothing of the checkout is read."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "mmvideo", "experiments", "datasets")

Python = Callable[..., str]


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-deps", "--no-index", "--quiet"]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, built from a copy: building writes beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout, target = folder / "checkout", folder / "installed"
    checkout.mkdir()
    for name in SOURCES:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(
                REPOSITORY / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            shutil.copy(REPOSITORY / name, checkout)
    pip("wheel", checkout, "--no-build-isolation", "--wheel-dir", folder)
    (wheel,) = folder.glob("mmvideo-*.whl")
    pip("install", wheel, "--target", target, "--disable-pip-version-check")
    shutil.rmtree(checkout)
    return target


@pytest.fixture
def python(installed: Path, tmp_path: Path) -> Python:
    """Runs Python elsewhere, with the wheel's folder before anything else that is called mmvideo."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_holds_what_the_checkout_does(installed: Path) -> None:
    for package, folder in [("", "mmvideo"), ("mmvideo", "datasets"), ("mmvideo", "experiments")]:
        here = {path.relative_to(REPOSITORY) for path in (REPOSITORY / folder).rglob("*.py")}
        shipped = {
            path.relative_to(installed / package) for path in (installed / package / folder).rglob("*.py")
        }
        left_out = here - shipped
        assert (
            {path.parts[1] for path in left_out} <= {"benchmarks"}
            if folder == "experiments"
            else not left_out
        )
    templates = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "mmvideo").rglob("*.j2")}
    assert templates == {path.relative_to(installed) for path in (installed / "mmvideo").rglob("*.j2")}
    assert len(templates) > 10
    assert not list(installed.rglob("results"))


def test_a_recipe_runs_without_the_checkout(python: Python, installed: Path, tmp_path: Path) -> None:
    assert python("-c", "import mmvideo; print(mmvideo.__file__)").startswith(str(installed))
    recipes = {path.parent.name for path in (REPOSITORY / "datasets").glob("*/prepare.py")}
    listed = python("-m", "mmvideo", "prepare", "--help")
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("  ")} == {*recipes, "planted"}
    assert "official splits" in python("-m", "mmvideo", "prepare", "ucf101", "--help")
    names = [f"v_{label}_g{group:02}_c01.avi" for label in ("Archery", "Biking") for group in range(1, 7)]
    for name in names:
        (tmp_path / "UCF-101" / name.split("_")[1]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "UCF-101" / name.split("_")[1] / name).write_text(name)
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    rows = {name: f"{name.split('_')[1]}/{name}\n" for name in names}
    (lists / "trainlist01.txt").write_text("".join(row for name, row in rows.items() if "_g01" not in name))
    (lists / "testlist01.txt").write_text("".join(row for name, row in rows.items() if "_g01" in name))
    python("-m", "mmvideo", "prepare", "ucf101", "--source", ".", "--out", "mine")
    assert len((tmp_path / "mine/manifest.jsonl").read_text(encoding="utf-8").splitlines()) == len(names)


def test_studies_are_found_by_module_name(python: Python, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").touch()
    find = "import importlib.util as u; print(u.find_spec('mmvideo.experiments.fusion_strategies').origin)"
    assert Path(python("-c", find).strip()).is_relative_to(installed)
    in_checkout = importlib.util.find_spec("mmvideo.experiments.fusion_strategies")
    assert in_checkout is not None
    assert in_checkout.origin == str(REPOSITORY / "experiments/fusion_strategies.py")
    study = "mmvideo.experiments.fusion_strategies"
    listed = python(
        "-m", "mmvideo", "ablate", study, "--dry-run", "--seeds", "0", "--", "--manifest", "m.jsonl"
    )
    table = [line.split()[0] for line in listed.splitlines()[2:9]]
    assert table == ["early", "late", "late_sum", "hierarchical", "visual", "audio", "text"]


def test_the_recipes_hide_no_other_package(python: Python) -> None:
    """Hugging Face's `datasets` must stay what `import datasets` means."""
    find = "import importlib.util as u; print(u.find_spec('datasets'), u.find_spec('experiments'))"
    assert "mmvideo" not in python("-c", find)
