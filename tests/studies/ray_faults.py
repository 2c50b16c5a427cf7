"""A study on a Ray cluster that loses a worker, a node and the driver, for test_ray: CONFIG FOLDER

Three nodes of one core in this process; the driver is a process of its own, killed with finished, unfinished
and waiting runs, and started again. What comes out is compared with what the local engine makes. The last
line is what was found, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mmvideo.config import RunConfig, load_config
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.execute import train_missing
from mmvideo.studies.engines.base import Engine
from mmvideo.studies.grid import GridReport, run_grid
from mmvideo.studies.study import Arm, Study

SEEDS = 6
EPOCHS = 30
SLOW = 0.3
"""Seconds that a run waits at each line of its log until the first driver is gone."""
PATIENCE = 120.0
"""Seconds that anything may take here."""


def train(config: RunConfig, *, root: Path) -> bool:
    """A run that leaves marks beside its folder: which process began it, and that it was trained."""
    log, hurry, marks = RunDirectory.log_metrics, root / "hurry", root / "marks" / f"s{config.seed}"

    def slowly(run: RunDirectory, metrics: Mapping[str, Any]) -> None:
        time.sleep(0.0 if hurry.exists() else SLOW)
        log(run, metrics)

    with patch.object(RunDirectory, "log_metrics", slowly):
        return _train(config, root, marks)


def _train(config: RunConfig, root: Path, marks: Path) -> bool:
    mark(marks, f"began {os.getpid()}")
    trained = train_missing(config, root=root)
    mark(marks, "trained" if trained else "finished before")
    return trained


def mark(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as marks:
        marks.write(f"{line}\n")


def carry_out(config: RunConfig, root: Path, engine: Engine | None) -> GridReport:
    import ray_faults  # by the name under which workers import it

    from mmvideo.data.opened import open_data

    changes = {"epochs": EPOCHS, "select": "last", "diagnostics": False}
    longer = config.model_copy(update={"train": config.train.model_copy(update=changes)})
    study = Study("faults", "Faults", (Arm("text", longer),), ("fusion",), tuple(range(SEEDS)))
    given = {"root": root, "data_fingerprint": open_data(longer).fingerprint, "engine": engine}
    return run_grid(study, partial(ray_faults.train, root=root), **given)  # type: ignore[arg-type]


def results(root: Path) -> dict[str, tuple[int, bytes]]:
    """When each run was finished, and what it says of each clip."""
    return {
        file.parent.name: (
            file.stat().st_mtime_ns,
            b"".join(path.read_bytes() for path in sorted(file.parent.glob("predictions_*.jsonl"))),
        )
        for file in root.glob("faults/*/result.json")
    }


def marks(root: Path) -> dict[str, list[str]]:
    return {file.name: file.read_text().splitlines() for file in root.glob("marks/*")}


def under_way(root: Path) -> dict[str, int]:
    """Runs that have been through an epoch and are not over, with their processes."""
    saved = {path.parents[1].name.split("-")[1] for path in root.glob("faults/*/checkpoints/last.pt")}
    last = {name: lines[-1].split() for name, lines in marks(root).items() if name in saved}
    found = {name: int(words[1]) for name, words in last.items() if words[0] == "began"}
    return {name: process for name, process in found.items() if Path(f"/proc/{process}").exists()}


def until(so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def main(config: str, folder: Path) -> dict[str, int]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    root, command = folder / "ray", [sys.executable, __file__, "driver", config, str(folder / "ray")]
    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        nodes = [cluster.add_node(**small) for _ in range(2)]
        driver = subprocess.Popen([*command, cluster.address])
        until(lambda: len(under_way(root)) == 3, "a run on each node")
        before = under_way(root)
        killed = next(iter(before))
        os.kill(before[killed], signal.SIGKILL)
        until(
            lambda: under_way(root).get(killed, before[killed]) != before[killed],
            "the run whose worker was killed",
        )
        there = under_way(root)
        cluster.remove_node(nodes[1], allow_graceful=False)
        until(lambda: any(not Path(f"/proc/{one}").exists() for one in there.values()), "the node's end")
        until(lambda: len(results(root)) >= 2 and len(under_way(root)) >= 1, "two finished runs")
        driver.kill()
        driver.wait()
        finished = results(root)
        (root / "hurry").touch()
        left = under_way(root)
        subprocess.run([*command, cluster.address], check=True)
    finally:
        cluster.shutdown()
    (folder / "local").mkdir()
    (folder / "local" / "hurry").touch()
    carry_out(load_config(config, "the first argument"), folder / "local", None)
    found, expected = results(root), results(folder / "local")
    trained = {name: lines.count("trained") for name, lines in marks(root).items()}
    return {
        "runs": len(found),
        "equal": sum(found[name][1] == expected[name][1] for name in expected),
        "finished before the driver was killed": len(finished),
        "under way when it was killed": len(left),
        "begun": sum(line.startswith("began") for lines in marks(root).values() for line in lines),
        "finished runs trained again": sum(found[name][0] != at for name, (at, _) in finished.items())
        + sum(count > 1 for count in trained.values()),
    }


if __name__ == "__main__":
    if sys.argv[1] == "driver":
        from mmvideo.studies.engines.ray import RayEngine

        _, _, given, where, address = sys.argv
        engine = RayEngine(RayEngine.Config(address=address))
        report = carry_out(load_config(given, "the argument"), Path(where), engine)
        print(report.summary())
        sys.exit(len(report.failures))
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
