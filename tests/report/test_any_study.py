"""A study whose runs' files hold anything is compared, or refused with one error for users."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_records import reseal
from mutations import mutated

from mmvideo.errors import InputError
from mmvideo.report.compare import compare
from mmvideo.report.load import load_study

FILES = ("predictions_test.jsonl", "predictions_val.jsonl", "metrics.jsonl", "env.json", "config.json")


@pytest.mark.fuzz
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(FILES), sealed=st.booleans())
def test_a_run_with_any_file_is_compared_or_refused(
    make_study: Callable[..., Path],
    fake_arm: type,
    tmp_path: Path,
    data: st.DataObject,
    name: str,
    sealed: bool,
) -> None:
    """`sealed`: as if the run had been made so."""
    study = tmp_path / "demo"
    if not study.exists():
        arms = {"late": fake_arm(0.8), "text": fake_arm(0.5, ("text",), "control", "single")}
        make_study(arms, seeds=(0,), n_clips=8, limits=None)
        for folder in study.glob("*-s0-*"):
            (folder / FILES[1]).write_bytes((folder / FILES[0]).read_bytes())
            reseal(folder)
    folder = sorted(study.glob("*-s0-*"))[data.draw(st.integers(0, 1))]
    before = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(data.draw(mutated(before)))
        if sealed:
            reseal(folder)
        with contextlib.suppress(InputError):
            compare(load_study(study))
    finally:
        (folder / name).write_bytes(before)
        reseal(folder)
