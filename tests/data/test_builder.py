"""What is done when a pool of decoding processes gives up, or never starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from mmvideo.data import builder
from mmvideo.data.builder import Decoded, Job, Lost, decode_all

FOUND = Decoded(("audio",), None)


def job(key: str) -> Job:
    nowhere = Path("x")
    return Job(key, nowhere, None, nowhere, None, 0.0, None, 8.0, 32, 16000, "pyav", None, {})


def outcomes(
    monkeypatch: pytest.MonkeyPatch, pools: list[dict[str, Decoded | Lost | None]]
) -> dict[str, object]:
    """Outcomes of three jobs where each new pool of workers behaves as the next of `pools` says."""
    rounds = iter(pools)

    def in_pool(jobs: Sequence[Job], workers: int, time_limit: float) -> Iterator[tuple[Job, object]]:
        told = next(rounds)
        assert sorted(told) == [one.key for one in jobs]
        yield from ((one, told[one.key]) for one in jobs)

    monkeypatch.setattr(builder, "_in_pool", in_pool)
    ended = list(decode_all([job(key) for key in "abc"], workers=2, time_limit=1.0))
    assert len(ended) == 3
    return {one.key: outcome for one, outcome in ended}


def test_what_a_pool_that_gave_up_left_is_given_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = outcomes(monkeypatch, [{"a": FOUND, "b": None, "c": None}, {"b": FOUND, "c": FOUND}])
    assert ended == dict.fromkeys("abc", FOUND)


def test_a_clip_that_breaks_every_pool_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = outcomes(monkeypatch, [dict.fromkeys("abc"), {"b": FOUND, "c": FOUND}])
    lost = ended.pop("a")
    assert isinstance(lost, Lost)
    assert lost.killed
    assert ended == {"b": FOUND, "c": FOUND}


def test_workers_that_never_start_end_the_work_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "START_LIMIT", 0.05)
    with pytest.raises(RuntimeError, match="do not start"):
        builder._next(SimpleQueue(), 0.05)


def test_the_next_that_is_done_is_waited_for() -> None:
    done: SimpleQueue[object] = SimpleQueue()
    threading.Timer(0.05, done.put, ["future"]).start()
    assert builder._next(done, 5.0) == "future"  # type: ignore[arg-type, comparison-overlap]
