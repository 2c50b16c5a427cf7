"""Every function of the package, given what it does not take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmvideo
from mmvideo.errors import InputError
from mmvideo.report.runs import StudyRuns

FUNCTIONS = [name for name in mmvideo.__all__ if not inspect.isclass(getattr(mmvideo, name))]
READERS = ["load_run", "load_study", "write_report"]
"""These take a folder, the others a study."""
WRONG = [None, [], ["runs/a", "runs/b"], {}, 5, 0.5, b"runs/mixed", object(), "", StudyRuns]


def called(name: str, given: object, tmp_path: Path) -> None:
    more = [tmp_path / "report"] if name == "write_report" else []
    getattr(mmvideo, name)(given, *more)


@pytest.mark.parametrize("given", WRONG, ids=lambda given: repr(given)[:12])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_says_what_was_given_what_is_taken_and_what_to_do(name: str, given: Any, tmp_path: Path) -> None:
    """AttributeError and TypeError came from deep inside."""
    with pytest.raises(InputError, match=rf"^mmvideo\.{name} takes (a study|the folder)") as told:
        called(name, given, tmp_path)
    got = str(told.value).split("; got ")[1]
    assert (type(given).__name__ if given is not None else "None") in got
    assert f"mmvideo.{name}" in got or '"runs/mixed"' in got, "what to do"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_path_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(InputError, match="nowhere"):
        called(name, missing, tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        called(name, str(missing), tmp_path)


def test_all_that_is_public_is_tried() -> None:
    assert len(FUNCTIONS) == 11
    first = {name: next(iter(inspect.signature(getattr(mmvideo, name)).parameters)) for name in FUNCTIONS}
    assert {name for name in FUNCTIONS if first[name] != "study"} == set(READERS)


def test_what_to_do_fits_what_was_given(make_study: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_study(n_clips=20, seeds=(0,))
    with pytest.raises(InputError, match=r"mmvideo\.run_frame\(mmvideo\.load_study\('.*demo'\)\)"):
        mmvideo.run_frame(str(folder))  # type: ignore[arg-type]
    study = mmvideo.load_study(folder)
    comparison = mmvideo.compare(study)
    with pytest.raises(InputError, match=r"run_frame\(comparison\.study\)"):
        mmvideo.run_frame(comparison)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="One study at a time"):
        mmvideo.run_frame([study])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="load_run"):
        mmvideo.load_study(next(folder.glob("late-*")))
    with pytest.raises(InputError, match="the report is written to"):
        mmvideo.write_report(folder, None)  # type: ignore[arg-type]
    for margin in ("a", float("nan"), 0, -1, [0.1], float("inf")):
        with pytest.raises(InputError, match="margin of equivalence"):
            mmvideo.compare(study, margin)  # type: ignore[arg-type]
    assert len(mmvideo.run_frame(study=study)) == len(study.arms), "by its name too"
