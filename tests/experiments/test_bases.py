"""Every data set has a base, and another on pretrained encoders; all are built without data or a download."""

from __future__ import annotations

import inspect
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmvideo.config import RunConfig
from mmvideo.studies.base import known_bases, study_base

ROOT = Path(__file__).parents[2]
BASES: dict[str, Callable[[], RunConfig]] = known_bases(ROOT / "experiments")
DATA_SETS = sorted(page.parent.name for page in (ROOT / "datasets").glob("*/README.md"))
MADE_UP = {"planted"}
"""Data sets of which pretrained models know nothing."""


def models(config: RunConfig) -> Iterator[str]:
    """The pretrained models that a configuration names."""
    for given in config.inputs.values():
        options: Any = given.encoder.options
        yield from filter(None, (getattr(options, "model", None), getattr(options, "weights", None)))


def test_every_data_set_has_a_base() -> None:
    own = [name for name in DATA_SETS if name in BASES]
    assert own == DATA_SETS
    assert len(own) >= 18


@pytest.mark.parametrize("name", BASES)
def test_it_is_built_and_says_what_it_is(name: str) -> None:
    config = BASES[name]()
    assert RunConfig.model_validate(config.model_dump()) == config
    told = inspect.getdoc(BASES[name]) or ""
    assert "Command: " in told
    assert f"BASE={name} " in told or f"DATASET={name} " in told or f":{name}" in told
    data_set = next(one for one in sorted(DATA_SETS, key=len, reverse=True) if name.startswith(one[:8]))
    assert data_set[:8] in config.data.manifest


@pytest.mark.parametrize("name", sorted(set(DATA_SETS) & set(BASES)))
def test_the_first_needs_no_download_and_another_is_pretrained(name: str) -> None:
    assert not list(models(BASES[name]()))
    if name not in MADE_UP:
        manifest = Path(BASES[name]().data.manifest)
        others = [make() for make in BASES.values() if Path(make().data.manifest) == manifest]
        assert any(list(models(config)) for config in others)


def test_a_study_finds_those_of_the_neighbouring_files() -> None:
    study = str(ROOT / "experiments" / "fusion_strategies.py")
    found = study_base("crema_d", "elsewhere/manifest.jsonl", beside=study)
    assert found.name == "crema_d-elsewhere"
    assert found.config.inputs == BASES["crema_d"]().inputs


def test_make_takes_the_base_of_the_data_set() -> None:
    chosen = {}
    for name in ("meld", "table", "ucf101"):
        command = ["make", "-n", "ablation", f"DATASET={name}", "DATA=here"]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        chosen[name] = told.partition("--base ")[2].split()[0]
    assert chosen == {name: name for name in chosen}
