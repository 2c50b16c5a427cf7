"""Worker processes: none is waited for in vain, and what one of them loses is its job alone."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mmvideo import workers
from mmvideo.workers import NoAnswer, Pool, run_all


@pytest.fixture
def labourer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # worker processes get this path too
    return importlib.import_module("labourer")


def answers(labourer: ModuleType, *jobs: str, **settings: Any) -> dict[str, Any]:
    ended = list(run_all(labourer.do, jobs, **{"workers": 2} | settings))
    assert sorted(job for job, _ in ended) == sorted(jobs)
    return dict(ended)


def test_a_job_that_ends_its_process_is_lost_alone(labourer: ModuleType) -> None:
    found = answers(labourer, "a", "exit", "kill", "b", "c", "d")
    lost = {job: answer for job, answer in found.items() if isinstance(answer, NoAnswer)}
    assert lost == {
        "exit": NoAnswer("its process died (exit code 7)", killed=True),
        "kill": NoAnswer("its process died (killed, most often because memory ran out)", killed=True),
    }


def test_a_job_that_takes_too_long_is_lost_alone(labourer: ModuleType) -> None:
    found = answers(labourer, "a", "hang", "b", time_limit=1.0)
    assert found.pop("hang") == NoAnswer("it took longer than 1 s", killed=True)
    assert not any(isinstance(answer, NoAnswer) for answer in found.values())


def test_what_a_job_raises_is_its_answer_and_costs_no_process(labourer: ModuleType) -> None:
    found = answers(labourer, "a", "raise", "b", workers=1)
    assert found["a"] == found["b"]
    assert found["raise"].reason == "ZeroDivisionError: a bug"
    assert "labourer.py" in found["raise"].details, "the traceback names the line"
    assert not found["raise"].killed


def test_a_worker_is_replaced_after_its_share_of_jobs(labourer: ModuleType) -> None:
    served = Counter(answers(labourer, *"abcdefg", jobs_per_worker=2).values())
    assert max(served.values()) == 2


def test_workers_take_jobs_that_come_later_even_if_they_died_idle(labourer: ModuleType) -> None:
    with Pool[str, str](labourer.do, workers=1, environment={"MMVIDEO_TEST": "told"}) as pool:
        pool.give("a")
        ((_, first),) = pool.ended()
        assert str(first).endswith(" told")
        assert pool.unfinished == 0
        process = int(str(first).split()[0])
        os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{process}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        pool.give("b")
        ((_, second),) = pool.ended()
    assert isinstance(second, str)
    assert second != first


def test_leaving_ends_what_is_under_way(labourer: ModuleType) -> None:
    began = time.monotonic()
    with Pool[str, str](labourer.do, workers=1) as pool:
        pool.give("hang")
        assert pool.ended(timeout=0.5) == []
    assert time.monotonic() - began < 30


def test_workers_that_cannot_start_end_the_work_with_a_reason(
    labourer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PROGRAM", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"did not start: exit code 3"):
        answers(labourer, "a", "b")
    monkeypatch.setattr(workers, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(workers, "START_LIMIT", 0.2)
    with pytest.raises(RuntimeError, match=r"did not start: nothing heard for 0.2 s"):
        answers(labourer, "a")


def test_the_callers_script_is_not_run_again(labourer: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "import labourer\n"
        "from mmvideo.workers import run_all\n"
        "print('run')\n"
        "list(run_all(labourer.do, ['a'], workers=1))\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout == "run\n"
