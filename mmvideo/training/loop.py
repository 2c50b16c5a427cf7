"""The training loop.

One epoch is a function of (weights, optimiser, seed, epoch), so a resumed run repeats it exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from mmvideo.config import TrainConfig
from mmvideo.errors import TrainingError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.objectives import Objective
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.diagnostics import GradientNorms, diagnoses, validate_alone
from mmvideo.training.optimization import make_optimizer, make_schedule, trained_parts
from mmvideo.training.predict import as_outputs, predict
from mmvideo.training.session import Session, TrainingData
from mmvideo.vocabulary import Split, TaskKind

Log = Callable[[dict[str, Any]], None]


@dataclass
class Progress:
    """How far training has come, and what it chose so far. Part of every checkpoint."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_loss: float = math.inf


def fit(
    model: nn.Module,
    objective: Objective,
    data: TrainingData,
    config: TrainConfig,
    *,
    seed: int,
    fabric: Fabric,
    checkpoints: Checkpoints,
    log: Log,
    task: TaskKind = "single_label",
    resumed: Callable[[int], None] = lambda epoch: None,
) -> Progress:
    """Train; on return the model holds the weights with the lowest validation loss.

    Args:
        log: takes one record per epoch and split (see mmvideo.runs.directory).
        task: decides the validation loss that chooses the epoch, and the score that is logged beside it.
        resumed: called with the epoch after which training goes on, where an earlier attempt was interrupted.

    Raises:
        TrainingError: the loss became NaN or infinite; names the step and the last good checkpoint.
    """
    objective.to(fabric.device)
    optimizer = make_optimizer(trained_parts(model, objective), config)
    schedule = make_schedule(optimizer, config, config.epochs * data.steps_per_epoch)
    net, optimizer = fabric.setup(model, optimizer)
    session = Session(model, net, data, config, fabric, seed)
    state = {"model": model, "objective": objective, "optimizer": optimizer, "schedule": schedule}
    progress = _restore(checkpoints, state)
    resumed(progress.epoch)
    while progress.epoch < config.epochs and progress.epoch - progress.best_epoch < config.patience:
        progress.epoch += 1
        start = time.perf_counter()
        objective.begin_epoch(progress.epoch, session)
        torch.manual_seed(derive_seed(seed, "epoch", progress.epoch))
        record = _train_epoch(session, objective, optimizer, schedule, progress, checkpoints, task)
        progress.seconds += time.perf_counter() - start
        _log(log, progress, "train", {**record, **objective.report()})
        loss, scores = _validate(session, task)
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            checkpoints.save_best(model)
        _log(log, progress, "val", {"loss": loss, **scores})
        _save(checkpoints, state, progress)
    if not progress.best_epoch:
        raise TrainingError(
            f"No epoch of {progress.epoch} had a finite validation loss; lower train.learning_rate"
        )
    checkpoints.load_best(model)
    return progress


def _train_epoch(
    session: Session,
    objective: Objective,
    optimizer: Any,
    schedule: Any,
    progress: Progress,
    checkpoints: Checkpoints,
    task: TaskKind,
) -> dict[str, float]:
    """One pass over the training split: the objective's and the task's score's mean over its clips, the last
    learning rate, and the mean gradient norms where they are asked for."""
    net = session.net
    net.train()
    objective.train()
    norms = GradientNorms(session) if diagnoses(session) else None
    loss_sum, score_sum, seen = 0.0, 0.0, 0
    rate = schedule.get_last_lr()[0]
    for batch in session.train_batches(progress.epoch):
        prediction = net(batch, objective.subsets) if objective.subsets else net(batch)
        loss = objective(prediction, batch)
        if not torch.isfinite(loss):
            kept = checkpoints.last if checkpoints.last.exists() else "none was written yet"
            raise TrainingError(
                f"The loss is {loss.item()} at step {progress.step + 1} (epoch {progress.epoch}). "
                f"Last good checkpoint: {kept}. "
                "Lower train.learning_rate, or train in 32-true precision."
            )
        objective.backward(loss, prediction, batch, session)
        total = session.clip(optimizer)
        if norms is not None:
            norms.add(total)
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        progress.step += 1
        loss_sum += loss.item() * len(batch)
        outputs, labels = as_outputs(prediction.logits, task), batch.labels.cpu().numpy()
        score_sum += float(TASKS[task].clip_scores(outputs, labels).sum())
        seen += len(batch)
    record = {"loss": loss_sum / seen, TASKS[task].score: score_sum / seen, "learning_rate": rate}
    return record | (norms.means() if norms is not None else {})


def _validate(session: Session, task: TaskKind) -> tuple[float, dict[str, float]]:
    """The loss on validation that chooses the epoch, and the scores logged beside it."""
    batches, device = session.data.val_batches(), session.fabric.device
    if diagnoses(session):
        predictions, alone = validate_alone(session, batches, task)
    else:
        predictions, alone = predict(session.net, batches, device, task), {}
    metrics = predictions.metrics()
    return metrics[TASKS[task].loss], {TASKS[task].score: metrics[TASKS[task].score], **alone}


def _log(log: Log, progress: Progress, split: Split, values: dict[str, float]) -> None:
    at = {"epoch": progress.epoch, "step": progress.step, "split": split}
    log({**at, **values, "seconds": progress.seconds})


def _save(checkpoints: Checkpoints, state: dict[str, Any], progress: Progress) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    checkpoints.save_last({**parts, "progress": asdict(progress)})


def _restore(checkpoints: Checkpoints, state: dict[str, Any]) -> Progress:
    """Go back to the end of the last finished epoch, or stay at the start."""
    saved = checkpoints.load_last()
    if saved is None:
        return Progress()
    for name, part in state.items():
        part.load_state_dict(saved[name])
    return Progress(**saved["progress"])
