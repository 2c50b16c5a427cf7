"""Ray: what is asked of a cluster and what its word means, without one; and, where asked for, on one."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.engines.base import Attempt, Ended
from mmvideo.studies.engines.parcel import carry_out, pack
from mmvideo.studies.engines.ray import RayEngine
from mmvideo.studies.grid import run_grid

HERE = Path(__file__).parent
CLUSTERS = pytest.mark.skipif("MMVIDEO_CLUSTERS" not in os.environ, reason="MMVIDEO_CLUSTERS=1 asks for it")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)  # a task moves to where the study was started
    return importlib.import_module("toy")


class Cluster:
    """Ray's functions, by tasks that are carried out when they are waited for."""

    def __init__(self, resources: dict[str, float], lose: str = "") -> None:
        self.exceptions = SimpleNamespace(RayError=RuntimeError)
        self.resources, self.lose = resources, lose
        self.asked, self.given, self.most = dict[str, Any](), list[Any](), 0
        self.cancelled: list[Any] = []
        self.connected = False

    def is_initialized(self) -> bool:
        return self.connected

    def init(self, **given: Any) -> None:
        self.connected, self.address = True, given["address"]

    def shutdown(self) -> None:
        self.connected = False

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": self.resources}]

    def remote(self, **asked: Any) -> Callable[[Any], Any]:
        self.asked = asked
        return lambda function: SimpleNamespace(remote=partial(self.give, function))

    def give(self, function: Any, parcel: Any) -> int:
        self.given.append(partial(function, parcel))
        return len(self.given) - 1

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        if not tasks:
            raise ValueError("wait takes at least one task")
        self.most = max(self.most, len(tasks))
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: int) -> Ended:
        if self.given[task].args[0].label == self.lose:
            raise RuntimeError("The worker died unexpectedly\nand its logs say why")
        return self.given[task]()

    def cancel(self, task: int, *, force: bool) -> None:
        assert force
        self.cancelled.append(task)


def put(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr("mmvideo.studies.engines.ray._library", lambda: cluster)
    return cluster


def test_runs_are_tasks_and_a_lost_one_is_a_row(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = toy.toy_study("good", "broken", "lost", "other", seeds=(0,))
    cluster = put(Cluster({"CPU": 3.0, "GPU": 2.0}, lose="toy/lost-s0"), monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        engine = RayEngine(RayEngine.Config(address=address, retries=5))
        where: dict[str, Any] = {"root": Path("runs"), "data_fingerprint": toy.DATA, "engine": engine}
        report = run_grid(study, partial(toy.train, root=Path("runs")), workers=2, **where)
    assert cluster.address == address
    assert not cluster.connected
    assert cluster.asked == {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 5}, "its device is the CPU"
    assert cluster.most == 2
    assert report.trained == 2
    reasons = {failure.label: failure.reason for failure in report.failures}
    assert reasons["toy/broken-s0"] == "ZeroDivisionError: loss is 1/0"
    assert reasons["toy/lost-s0"] == "RuntimeError: The worker died unexpectedly"
    details = next(tmp_path.glob("runs/toy/lost-s0-*/error.txt")).read_text()
    assert "its logs say why" in details


@pytest.mark.parametrize("given", ["by option", "by environment"])
def test_an_address_where_nothing_answers_is_told_at_once(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray asks for minutes, with lines of its own."""
    put(Cluster({"CPU": 1.0}), monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", "" if given == "by option" else address)
    engine = RayEngine(RayEngine.Config(address=address if given == "by option" else None))
    with pytest.raises(InputError, match=f"no Ray cluster at '{address}'.*refused"):
        engine.check()
    with (
        pytest.raises(InputError, match="no Ray cluster"),
        engine.open([RunConfig()], Path("runs"), None),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "resources", "asked", "told"),
    [
        ({}, {"CPU": 4.0, "GPU": 1.0}, (1, 1.0), False),
        ({}, {"CPU": 4.0}, (1, 0.0), False),
        ({"gpus": 0.25, "cpus": 2.0}, {"CPU": 4.0, "GPU": 1.0}, (2.0, 0.25), False),
        ({"gpus": 2.0}, {"CPU": 4.0, "GPU": 1.0}, (1, 2.0), True),
    ],
    ids=["a GPU", "no GPU", "shared", "more than there is"],
)
def test_what_a_run_asks_for(
    options: dict[str, float],
    resources: dict[str, float],
    asked: tuple[float, float],
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = put(Cluster(resources), monkeypatch)
    engine = RayEngine(RayEngine.Config(**options))
    with engine.open([RunConfig()], Path("runs"), None) as workers:
        assert workers.unfinished == 0
    assert (cluster.asked["num_cpus"], cluster.asked["num_gpus"]) == asked
    assert ("no node of the Ray cluster has 1 CPU and 2 GPU" in capsys.readouterr().err) == told


def test_leaving_early_cancels_what_is_under_way(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = put(Cluster({"CPU": 1.0}), monkeypatch)
    config = toy.toy_study("good").runs()[0]
    run = RunDirectory.create(tmp_path, config, toy.DATA)
    with RayEngine(RayEngine.Config()).open([config], tmp_path, None) as workers:
        workers.give(Attempt(config.label, partial(toy.train, root=tmp_path), config.model_dump_json(), run))
        cluster.wait = lambda tasks, **_: ([], tasks)  # type: ignore[method-assign,assignment]
        assert workers.ended(0.0) == []
        assert [one.label for one in workers.running] == [config.label]
    assert cluster.cancelled == [0]


def test_a_run_that_another_process_holds_is_waited_for(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(Cluster({"CPU": 1.0}), monkeypatch)
    monkeypatch.setattr(RayEngine, "refresh_seconds", 0.01)
    monkeypatch.setattr(RayEngine, "retry_seconds", 0.05)
    study = toy.toy_study("good", seeds=(0,))
    run, held = RunDirectory.create(tmp_path, study.runs()[0], toy.DATA), ExitStack()
    held.enter_context(run.lock())
    monkeypatch.setattr("mmvideo.studies.engines.ray.time.sleep", lambda _: held.close())
    engine = RayEngine(RayEngine.Config())
    run_one = partial(toy.train, root=tmp_path)
    report = run_grid(study, run_one, root=tmp_path, data_fingerprint=toy.DATA, engine=engine)
    assert (report.trained, report.failures) == (1, ())


def test_a_parcel_takes_no_secrets_and_names_a_machine_that_lacks_the_folder(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = toy.toy_study("good").runs()[0]
    run = RunDirectory.locate(Path("runs"), config, toy.DATA)
    one = Attempt(config.label, partial(toy.train, root=Path("runs")), config.model_dump_json(), run)
    parcel = pack(one, {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")})
    assert "WANDB_API_KEY" not in parcel.environment
    assert parcel.environment["WANDB_MODE"] == "offline"
    monkeypatch.chdir("/")
    assert carry_out(parcel).state == "trained"
    assert Path.cwd() == tmp_path
    assert run.finished
    gone = carry_out(type(parcel)(**{**vars(parcel), "folder": "/no/such/folder"}))
    assert gone.state == "failed"
    assert "has no /no/such/folder (No such file or directory); all machines must share" in gone.reason


def test_without_ray_or_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("nobody listens at head:6379\nmore")

    cluster = put(Cluster({}), monkeypatch)
    monkeypatch.setattr(cluster, "init", refuse)
    with (
        pytest.raises(InputError, match=r"no Ray cluster at 'auto': nobody listens at head:6379\. Start one"),
        RayEngine(RayEngine.Config(address="auto")).open([RunConfig()], Path("runs"), None),
    ):
        pass
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'mmvideo\[ray\]'"):
        RayEngine(RayEngine.Config()).check()


@CLUSTERS
@pytest.mark.timeout(600)
def test_a_cluster_that_loses_a_node_a_worker_and_the_driver(
    configure: Callable[..., RunConfig], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    config = configure(text_alone=True)
    command = [sys.executable, str(HERE / "ray_faults.py"), config.model_dump_json(), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["runs"] == told["equal"] == 6
    assert told["finished before the driver was killed"] >= 1
    assert told["finished runs trained again"] == 0, told
    print(told)
