"""Processes that decode: none is waited for in vain, and what one of them loses is its clip alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmvideo.store import workers
from mmvideo.store.builder import Job, Lost
from mmvideo.store.workers import decode_all


def job(key: str) -> Job:
    return Job(key, Path("x"), None, Path("nowhere"), None, 0.0, None, 8.0, 32, 16000, "pyav", None, {})


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch):
    """Makes workers run a line on the key of each clip before they answer."""

    def install(line: str) -> None:
        body = f"""
import os, sys, time
sys.path[:] = sys.argv[2:]
from mmvideo.store import builder
def attempt(job, real=builder.attempt):
    key = job.key
    {line}
    return real(job)
builder.attempt = attempt
builder.serve(int(sys.argv[1]))
"""
        monkeypatch.setattr(workers, "PROGRAM", body)

    return install


def outcomes(keys: str, limit: float = 30.0) -> dict[str, str]:
    ended = list(decode_all([job(key) for key in keys], workers=2, time_limit=limit))
    assert len(ended) == len(keys)
    return {one.key: outcome.reason for one, outcome in ended if isinstance(outcome, Lost)}


def test_a_clip_that_ends_its_worker_is_lost_alone(program) -> None:
    program("os._exit(7) if key in 'bc' else None")
    told = outcomes("abcdef")
    assert {key: "exit code 7" in reason for key, reason in told.items()} == {
        key: key in "bc" for key in "abcdef"
    }


def test_a_clip_that_takes_too_long_is_lost_alone(program) -> None:
    program("time.sleep(60) if key == 'b' else None")
    told = outcomes("abc", limit=1.0)
    assert {key: "longer than 1 s" in reason for key, reason in told.items()} == {
        "a": False, "b": True, "c": False,
    }  # fmt: skip


def test_a_worker_is_replaced_after_its_share_of_clips(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CLIPS_PER_WORKER", 2)
    program("return builder.Lost(str(os.getpid()), killed=False)")
    told = outcomes("abcdefg")
    assert max(list(told.values()).count(reason) for reason in told.values()) <= 2


def test_workers_that_cannot_start_end_the_work_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PROGRAM", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"did not start: exit code 3"):
        outcomes("ab")


def test_workers_that_take_too_long_to_start_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(workers, "START_LIMIT", 0.2)
    with pytest.raises(RuntimeError, match=r"did not start: nothing heard for 0.2 s"):
        outcomes("a")


def test_the_callers_script_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from mmvideo.store.builder import Job\n"
        "from mmvideo.store.workers import decode_all\n"
        "print('run')\n"
        "nowhere = Path('nowhere')\n"
        "job = Job('a', nowhere, None, nowhere, None, 0.0, None, 8.0, 32, 16000, 'pyav', None, {})\n"
        "list(decode_all([job], workers=1, time_limit=30))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout == "run\n"
