"""Recipes loaded by path as users run them, and made-up downloads that follow the official naming."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest

from mmvideo.clips.manifest import Clip, read_manifest
from mmvideo.recipes import Outcome

FOLDER = Path(__file__).parents[2] / "datasets"
LoadRecipe = Callable[[str], ModuleType]
MakeFiles = Callable[[Path, Iterable[str]], None]


@pytest.fixture(autouse=True)
def any_file_is_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up downloads hold no media; `tests/recipes` tells what becomes of those."""
    monkeypatch.setattr(importlib.import_module("mmvideo.recipes.prepare"), "looked_at", lambda *_: {})


@pytest.fixture(scope="session")
def load_recipe() -> LoadRecipe:
    """`load_recipe("ucf101")` is the module datasets/ucf101/prepare.py."""
    loaded: dict[str, ModuleType] = {}

    def load(name: str) -> ModuleType:
        if name not in loaded:
            spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / name / "prepare.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[module.__name__] = module  # dataclasses look their module up
            spec.loader.exec_module(module)
            loaded[name] = module
        return loaded[name]

    return load


@pytest.fixture
def make_files() -> MakeFiles:
    """`make_files(folder, names)` writes a file of its own content for each name, folders included."""

    def make(folder: Path, names: Iterable[str]) -> None:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)

    return make


@pytest.fixture
def rows() -> Callable[[Outcome], dict[str, Clip]]:
    """`rows(outcome)` are the clips of the manifest that was written, by id, all of their files there."""

    def by_id(outcome: Outcome) -> dict[str, Clip]:
        manifest = read_manifest(outcome.manifest)
        for clip in manifest.clips:
            for field in ("video", "audio", "subtitles"):
                path = manifest.path(clip, field)
                assert path is None or path.is_file()
        return {clip.id: clip for clip in manifest.clips}

    return by_id


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MMVIDEO_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs real clips; no folder {folder} (set MMVIDEO_SHARED_DATA)")
    return folder
