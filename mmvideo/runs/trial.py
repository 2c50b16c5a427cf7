"""One trial of a tuned comparison: a run that is trained and validated, and never sees the test split."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lightning_fabric import Fabric

from mmvideo.config import RunConfig
from mmvideo.data.opened import open_data
from mmvideo.data.run_data import RunData
from mmvideo.errors import TrainingError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.runs.own_components import check_own_components
from mmvideo.runs.processes import on_devices
from mmvideo.runs.training import Training
from mmvideo.runs.trial_directory import TrialDirectory
from mmvideo.runs.warm_start import sources, with_sources


def run_trial(config: RunConfig, *, root: Path) -> bool:
    """Train a configuration and keep what validation says; whether it was done now.

    The data are opened without their test clips, so that nothing can be learnt or chosen by them.

    Raises:
        InputError: as `mmvideo.runs.execute.execute` does.
        Busy: another process is at it.
        TrainingError: the loss became NaN or infinite; that is recorded, and not tried again.
    """
    config = with_sources(config)
    check_own_components(config, root)
    source = open_data(config)
    run, trained = TrialDirectory.create(root, config, source.fingerprint), False
    if not run.finished:
        with run.lock():
            if not run.finished:  # by another process, meanwhile
                on_devices(config, partial(_train, config=config, run=run))
                trained = True
    reason = run.result().reason
    if reason is not None:
        raise TrainingError(reason)
    return trained


def _train(fabric: Fabric, config: RunConfig, run: TrialDirectory) -> None:
    warm, source = sources(config), open_data(config).without_test()
    learnt = {modality: earlier.inputs for modality, earlier in warm.items()}
    training = Training.ready(RunData.over(config, source, learnt), warm, run, fabric)
    try:
        progress = training.fit()
    except TrainingError as error:
        if fabric.is_global_zero:
            run.write_trial(config, source.fingerprint, val={}, reason=str(error))
        raise
    if not fabric.is_global_zero:
        return
    val = {TASKS[config.data.task].score: progress.best_score, "loss": progress.best_loss}
    best, seconds = progress.best_epoch, progress.seconds
    run.write_trial(config, source.fingerprint, val=val, best_epoch=best, seconds=seconds)
