"""The training loop.

One epoch is a function of (weights, optimiser, seed, epoch), so a resumed run repeats it exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mmvideo.config import TrainConfig
from mmvideo.errors import TrainingError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.objectives import Objective
from mmvideo.seeding import derive_seed
from mmvideo.training.accumulation import MeanGradient
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.compilation import compile_parts, every_kind_of_step
from mmvideo.training.diagnostics import GradientNorms, diagnoses, validate_alone
from mmvideo.training.optimization import make_optimizer, make_schedule, trained_parts
from mmvideo.training.predict import as_outputs, predict
from mmvideo.training.processes import common_draws, gathered, gathering, seed_draws
from mmvideo.training.session import Session, TrainingData
from mmvideo.vocabulary import Split, TaskKind

Log = Callable[[dict[str, Any]], None]
Select = Literal["score", "loss", "last"]

LOOK_EVERY = 16
"""Steps after which a loss on a GPU is looked at, since the processor waits for the GPU to do that."""


@dataclass
class Progress:
    """How far training has come, and what it chose so far. Part of every checkpoint."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    """Of training, without validation."""
    best_epoch: int = 0
    best_loss: float = math.inf
    """Validation loss of that epoch."""
    best_score: float = math.nan
    """Its validation score."""
    not_compiled: dict[str, str] = field(default_factory=dict)
    """By part that was to be compiled and ran as written: why."""

    def better(self, loss: float, score: float, select: Select, task: TaskKind) -> bool:
        """Whether the epoch that was just validated takes the place of the best so far.

        One whose loss is not finite never does, whatever its score: a model of NaN still names a class.
        """
        if not math.isfinite(loss):
            return False
        if not self.best_epoch or select == "last":
            return True
        if select == "loss":
            return loss < self.best_loss
        sign = 1 if TASKS[task].higher_is_better else -1
        return (sign * score, -loss) > (sign * self.best_score, -self.best_loss)


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
    """Train; on return the model holds the weights of the epoch that `config.select` chooses.

    Args:
        log: takes one record per epoch and split (see mmvideo.runs.directory).
        task: decides the validation score and loss that choose the epoch.
        resumed: called with the epoch after which training goes on, where an earlier attempt was interrupted.

    Raises:
        TrainingError: the loss became NaN or infinite; names the step and the last good checkpoint.
    """
    if fabric.device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # a run that goes on repeats what it did
    objective.to(fabric.device)
    optimizer = make_optimizer(trained_parts(model, objective), config)
    steps = -(-data.batches_per_epoch // config.accumulate)
    epochs = config.most_epochs(steps)
    schedule = make_schedule(optimizer, config, epochs * steps)
    net, optimizer = fabric.setup(model, optimizer)
    session = Session(model, gathering(net, fabric), data, config, fabric, seed)
    not_compiled: dict[str, str] = {}
    if config.compile:
        not_compiled = compile_parts(model, every_kind_of_step(session), tell=fabric.is_global_zero)
    state = {"model": model, "objective": objective, "optimizer": optimizer, "schedule": schedule}
    state["precision"] = fabric.strategy.precision  # with 16-mixed, the scale of the loss
    first = fabric.is_global_zero  # the process that writes
    if first:
        checkpoints.remove_stale()
    progress = Progress(**checkpoints.resume(state).get("progress", {}))
    progress.not_compiled |= not_compiled
    if first:
        resumed(progress.epoch)
    written = log if first else _nothing
    patience = epochs if config.select == "last" else config.patience
    while progress.epoch < epochs and progress.epoch - progress.best_epoch < patience:
        progress.epoch += 1
        start = time.perf_counter()
        objective.begin_epoch(progress.epoch, session)
        seed_draws(fabric, derive_seed(seed, "epoch", progress.epoch))
        record = _train_epoch(session, objective, optimizer, schedule, progress, checkpoints, task)
        trained = time.perf_counter()
        progress.seconds += trained - start
        _log(written, progress, "train", {**record, **objective.report()}, trained - start)
        loss, score, beside = _validate(session, task)
        if progress.better(loss, score, config.select, task):
            progress.best_epoch, progress.best_loss, progress.best_score = progress.epoch, loss, score
            if first:
                checkpoints.save_best(model)
        values = {"loss": loss, TASKS[task].score: score, **beside}
        _log(written, progress, "val", values, time.perf_counter() - trained)
        if first:
            _save(checkpoints, state, progress)
    if not progress.best_epoch:
        raise TrainingError(
            f"No epoch of {progress.epoch} had a finite validation loss; lower train.learning_rate"
        )
    fabric.barrier()  # until they are written
    checkpoints.load_best(model)
    return progress


def _nothing(record: dict[str, Any]) -> None:
    """Where another process keeps the log."""


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
    net, fabric, accumulate = session.net, session.fabric, session.config.accumulate
    net.train()
    objective.train()
    norms = GradientNorms(session) if diagnoses(session) else None
    mean = MeanGradient(trained_parts(session.model, objective).parameters())
    steps, last = _Steps(accumulate), session.data.batches_per_epoch
    look_every = 1 if fabric.device.type == "cpu" else LOOK_EVERY
    share = 0.0
    for number, batch in enumerate(session.train_batches(progress.epoch), start=1):
        prediction = net(batch, objective.subsets) if objective.subsets else net(batch)
        with common_draws(fabric, session.seed, progress.epoch, number):
            loss = objective(prediction, batch)
        steps.add(loss, prediction.logits, batch.labels)
        if len(steps.losses) % look_every == 0:
            steps.check(progress, checkpoints)
        with common_draws(fabric, session.seed, progress.epoch, number, "backward"):
            objective.backward(loss, prediction, batch, session)
        if accumulate > 1:
            mean.take(len(batch))
            if number % accumulate and number != last:
                continue
            mean.give()
        total = session.clip(optimizer)
        if norms is not None:
            norms.add(total)
        share = schedule.lr_lambdas[0](schedule.last_epoch)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    steps.check(progress, checkpoints)
    progress.step += steps.step(len(steps.losses))
    rate = session.config.learning_rate * share  # of parts whose `train.rates` are 1
    return {**steps.means(task), "learning_rate": rate, **(norms.means() if norms is not None else {})}


class _Steps:
    """What an epoch's steps came to. It stays on the device until it is looked at: a step waits for none."""

    def __init__(self, accumulate: int) -> None:
        self.accumulate = accumulate
        self.losses: list[Tensor] = []
        self.logits: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.checked = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.losses.append(loss.detach())
        self.logits.append(logits.detach())
        self.labels.append(labels)

    def step(self, batches: int) -> int:
        """The optimiser's step that so many batches lead up to."""
        return -(-batches // self.accumulate)

    def check(self, progress: Progress, checkpoints: Checkpoints) -> None:
        """
        Raises:
            TrainingError: the loss of a step since the last look is NaN or infinite.
        """
        for number, loss in enumerate(self._values(self.checked), start=self.checked + 1):
            if not math.isfinite(loss):
                at = progress.step + self.step(number)
                kept = checkpoints.last if checkpoints.last.exists() else "none was written yet"
                raise TrainingError(
                    f"The loss is {loss} at step {at} (epoch {progress.epoch}). "
                    f"Last good checkpoint: {kept}. "
                    "Lower train.learning_rate, or train in 32-true precision."
                )
        self.checked = len(self.losses)

    def means(self, task: TaskKind) -> dict[str, float]:
        """Loss and score, averaged over the clips."""
        loss_sum, score_sum, seen = 0.0, 0.0, 0
        for loss, logits, labels in zip(self._values(0), self.logits, self.labels, strict=True):
            scores = TASKS[task].clip_scores(as_outputs(logits, task), labels.cpu().numpy())
            loss_sum += loss * len(labels)
            score_sum += float(scores.sum())
            seen += len(labels)
        return {"loss": loss_sum / seen, TASKS[task].score: score_sum / seen}

    def _values(self, first: int) -> list[float]:
        losses = self.losses[first:]
        return torch.stack(losses).tolist() if losses else []


def _validate(session: Session, task: TaskKind) -> tuple[float, float, dict[str, float]]:
    """Validation loss and score, which choose the epoch, and what is logged beside them."""
    batches, device = gathered(session.data.val_batches(), session.fabric), session.fabric.device
    if diagnoses(session):
        predictions, beside = validate_alone(session, batches, task)
    else:
        predictions, beside = predict(session.net, batches, device, task), {}
    metrics = predictions.metrics()
    return metrics[TASKS[task].loss], metrics[TASKS[task].score], beside


def _log(log: Log, progress: Progress, split: Split, values: dict[str, float], seconds: float) -> None:
    at = {"epoch": progress.epoch, "step": progress.step, "split": split}
    log({**at, **values, "seconds": seconds, "training_seconds": progress.seconds})


def _save(checkpoints: Checkpoints, state: dict[str, Any], progress: Progress) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    checkpoints.save_last({**parts, "progress": asdict(progress)})
