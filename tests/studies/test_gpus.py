"""Several GPUs and several runs on each, where there are none: made-up cards, and pools that take notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmvideo.components import EngineChoice
from mmvideo.config import RunConfig, RuntimeConfig
from mmvideo.errors import InputError
from mmvideo.records import STATE
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.engines import gpus
from mmvideo.studies.engines.base import Attempt, Ended
from mmvideo.studies.engines.gpus import Cards, GpuWorkers
from mmvideo.studies.engines.local import LocalEngine
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.workers import NoAnswer, Pool


class MadeUp(Cards):
    """Two cards of 80 GB, of which each process takes `run` MB."""

    def __init__(self, run: float = 0.0, *, told: bool = True) -> None:
        self.run, self.told, self.pools = run, told, dict[str, Stand]()

    def names(self) -> list[str]:
        return ["GPU-a", "GPU-b"]

    def free(self) -> Mapping[str, float]:
        if not self.told:
            return {}
        return {name: 80_000.0 - self.run * self.pools[name].processes for name in self.pools}


class Stand:
    """A pool whose jobs end when the test says so."""

    cards: MadeUp

    def __init__(self, function: object, *, workers: int, environment: Mapping[str, str]) -> None:
        self.jobs, self.over, self.processes = list[Attempt](), list[tuple[Attempt, Any]](), 0
        self.environment = environment
        self.cards.pools[environment["CUDA_VISIBLE_DEVICES"]] = self

    def __class_getitem__(cls, _: object) -> type[Stand]:
        return cls

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        self.jobs.clear()

    @property
    def running(self) -> list[Attempt]:
        return self.jobs

    def give(self, job: Attempt) -> None:
        self.jobs.append(job)
        self.processes = max(self.processes, len(self.jobs))

    def ended(self, timeout: float) -> list[tuple[Attempt, Any]]:
        over, self.over = self.over, []
        return over

    def end(self, label: str, answer: Ended | NoAnswer) -> None:
        [job] = [one for one in self.jobs if one.label == label]
        self.jobs.remove(job)
        self.over.append((job, answer))


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    made = MadeUp()
    monkeypatch.setattr(Stand, "cards", made, raising=False)
    monkeypatch.setattr(gpus, "Pool", Stand)
    return made


def attempts(folder: Path, count: int) -> list[Attempt]:
    return [Attempt(f"r{n}", bool, "{}", RunDirectory(folder / f"r{n}")) for n in range(count)]


def an_epoch(one: Attempt) -> None:
    (one.run.path / STATE).parent.mkdir(parents=True, exist_ok=True)
    (one.run.path / STATE).touch()


def given(cards: MadeUp) -> list[list[str]]:
    return [[one.label for one in pool.jobs] for pool in cards.pools.values()]


def test_memory_that_a_run_was_seen_to_take_decides_how_many_share_a_gpu(
    cards: MadeUp, tmp_path: Path
) -> None:
    cards.run = 15_000.0
    runs = attempts(tmp_path, 8)
    with GpuWorkers(["GPU-a", "GPU-b"], cards, threads=1, most=16, each=None) as workers:
        for one in runs:
            workers.give(one)
        workers.ended(0.0)
        assert given(cards) == [["r0"], ["r1"]], "what one takes is not known yet"
        an_epoch(runs[0])
        workers.ended(0.0)
        assert given(cards) == [["r0", "r2"], ["r1"]], "65 GB are free, and one takes 15"
        workers.ended(0.0)
        assert given(cards) == [["r0", "r2"], ["r1"]], "r2 has not been through an epoch"
        for one in runs[1:3]:
            an_epoch(one)
        workers.ended(0.0)
        assert given(cards) == [["r0", "r2", "r4"], ["r1", "r3"]]
        an_epoch(runs[4])
        workers.ended(0.0)
        assert given(cards) == [["r0", "r2", "r4", "r5"], ["r1", "r3"]]
        an_epoch(runs[5])
        workers.ended(0.0)
        assert len(given(cards)[0]) == 4, "20 GB are free, less than twice 15"
        assert cards.pools["GPU-a"].environment["OMP_NUM_THREADS"] == "1"
        assert workers.unfinished == 8
        an_epoch(runs[3])
        workers.ended(0.0)
        assert given(cards)[1] == ["r1", "r3", "r6"]

        cards.pools["GPU-a"].end("r2", Ended("trained"))
        assert workers.ended(0.0) == [(runs[2], Ended("trained"))]
        workers.ended(0.0)
        assert given(cards)[0] == ["r0", "r4", "r5", "r7"], "a process there is free, and has its memory"


def test_where_no_memory_is_told_a_gpu_has_one_run(cards: MadeUp, tmp_path: Path) -> None:
    cards.told = False
    runs = attempts(tmp_path, 3)
    with GpuWorkers(["GPU-a", "GPU-b"], cards, threads=1, most=9, each=None) as workers:
        for one in runs:
            an_epoch(one)
            workers.give(one)
        workers.ended(0.0)
        assert given(cards) == [["r0"], ["r1"]]


def test_a_run_that_finds_no_memory_beside_others_is_tried_alone(cards: MadeUp, tmp_path: Path) -> None:
    none = Ended("failed", reason="OutOfMemoryError: CUDA out of memory.")
    runs = attempts(tmp_path, 4)
    with GpuWorkers(["GPU-a"], cards, threads=1, most=9, each=2) as workers:
        for one in runs:
            workers.give(one)
        workers.ended(0.0)
        pool = cards.pools["GPU-a"]
        pool.end("r1", none)
        assert workers.ended(0.0) == []
        pool.end("r0", Ended("trained"))
        workers.ended(0.0)
        workers.ended(0.0)
        assert given(cards) == [["r1"]], "by itself"
        pool.end("r1", none)
        assert workers.ended(0.0) == [(runs[1], none)], "and not for ever"


@pytest.mark.parametrize(
    ("options", "workers", "most", "each", "told"),
    [
        ({}, None, 6, None, 2),
        ({}, 5, 5, 3, 5),
        ({"runs_per_gpu": 2}, None, 6, 2, 4),
        ({"gpus": (1,)}, None, 6, None, 1),
    ],
)
def test_what_the_local_engine_opens(
    options: dict[str, Any],
    workers: int | None,
    most: int,
    each: int | None,
    told: int,
    cards: MadeUp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmvideo.studies.engines.local.cores", lambda: 12)
    config = RunConfig(runtime=RuntimeConfig(loader_workers=1))
    engine = LocalEngine(LocalEngine.Config(**options), cards)
    assert engine.at_once(config, workers) == told
    opened = engine.open([config], tmp_path, workers)
    assert isinstance(opened, GpuWorkers)
    assert list(cards.pools) == (["GPU-b"] if "gpus" in options else ["GPU-a", "GPU-b"])
    assert (opened._most, opened._each) == (most, each)


def test_the_cpu_and_gpus_that_are_not_there(cards: MadeUp, tmp_path: Path) -> None:
    on_cpu = RunConfig(runtime=RuntimeConfig(device="cpu"))
    opened = LocalEngine(LocalEngine.Config(), cards).open([on_cpu], tmp_path, 3)
    assert isinstance(opened, Pool)
    with pytest.raises(InputError, match=r"--engine.gpus 2: there is no such GPU; visible here: 0 to 1\."):
        LocalEngine(LocalEngine.Config(gpus=(2,)), cards).check()
    assert EngineChoice.of("local").build().check() is None


def test_the_state_that_progress_is_read_from_is_the_one_that_is_saved(tmp_path: Path) -> None:
    assert Checkpoints(RunDirectory(tmp_path).checkpoints).last == tmp_path / STATE
