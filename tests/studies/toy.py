"""A stand-in for training that the grid's tests hand to worker processes; run as a script, it is a grid."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from mmvideo.config import RunConfig, RuntimeConfig, TrainConfig
from mmvideo.errors import InputError, TrainingError
from mmvideo.records import STATE
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.trial_directory import TrialDirectory
from mmvideo.studies.grid import run_grid
from mmvideo.studies.study import Arm, Study

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
from made_records import made_result, metric_line

DATA = "toy-data"


def toy_study(*names: str, seeds: tuple[int, ...] = (0, 1)) -> Study:
    """A study with one arm for each name."""
    shared = {"train": TrainConfig(epochs=4), "runtime": RuntimeConfig(device="cpu")}
    arms = [Arm(name, RunConfig(width=8 + 8 * i, **shared)) for i, name in enumerate(names)]
    return Study(name="toy", title="Toy", arms=tuple(arms), axes=("width",), seeds=seeds)


def train(config: RunConfig, *, root: Path, seconds: float = 0.0) -> bool:
    """Leaves a mark for every time it is called; an arm named for a trouble has it."""
    run = RunDirectory.create(root, config, DATA)
    with run.lock():
        if run.finished:
            return False
        with (run.path / "starts").open("a") as file:
            file.write("start\n")
        match config.arm:
            case "wrong":
                raise InputError("data.manifest: no such file")
            case "diverging":
                raise TrainingError("The loss is nan at step 3 (epoch 1)")
            case "broken":
                raise ZeroDivisionError("loss is 1/0")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stuck":  # a cluster's word that the job's time is over
                os.kill(os.getpid(), signal.SIGUSR2)
        for epoch in range(1, config.train.epochs + 1):
            time.sleep(seconds / config.train.epochs)
            run.log_metrics(metric_line(epoch, accuracy=0.5))
            (run.path / STATE).write_text(str(epoch))
            if config.arm == "preempted" and epoch == 2 and (run.path / "starts").read_text() == "start\n":
                os.kill(os.getpid(), signal.SIGUSR2)
        if config.arm != "forgetful":
            run.write_result(made_result(run.path, config))
    return True


def score(config: RunConfig) -> float:
    """What the stand-in for a trial has on validation: the more, the nearer its learning rate is to 1e-4."""
    return 1 - abs(math.log10(config.train.learning_rate) + 4) / 4


def trial(config: RunConfig, *, root: Path) -> bool:
    """A trial's record without its training."""
    run = TrialDirectory.create(root, config, DATA)
    if run.finished:
        return False
    with (run.path / "starts").open("a") as file:
        file.write("start\n")
    if config.arm.startswith("broken"):
        raise ZeroDivisionError("loss is 1/0")
    reason = None
    if config.arm.startswith("fast-fails") and config.train.learning_rate > 9e-4:
        reason = "The loss is nan at step 3"
    own = score(config) + (config.seed / 100 if config.seed < 100 else 0)
    run.write_trial(config, DATA, val={} if reason else {"accuracy": own, "loss": 1.0}, reason=reason)
    if reason:
        raise TrainingError(reason)
    return True


if __name__ == "__main__":
    import toy  # by the name under which workers import it

    where = Path(sys.argv[1])
    run_one = partial(toy.train, root=where, seconds=float(sys.argv[2]))
    found = run_grid(toy_study("a", "b", "c"), run_one, root=where, data_fingerprint=DATA, workers=2)
    print(found.summary())
    sys.exit(len(found.failures))
