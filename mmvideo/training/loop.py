"""The training loop.

One epoch is a function of (weights, optimiser, seed, epoch), so a resumed run repeats it exactly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import nn

from mmvideo.config import TrainConfig
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.predict import predict
from mmvideo.types import Batch
from mmvideo.words import Split

Log = Callable[[dict[str, Any]], None]


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what is left of it."""


class TrainingData(Protocol):
    """What the loop trains on: batches per epoch, and nothing that leads to the test split."""

    def train_batches(self, epoch: int) -> Iterable[Batch]: ...

    def val_batches(self) -> Iterable[Batch]: ...

    @property
    def steps_per_epoch(self) -> int: ...


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
    objective: nn.Module,
    data: TrainingData,
    config: TrainConfig,
    *,
    seed: int,
    fabric: Fabric,
    checkpoints: Checkpoints,
    log: Log,
    resumed: Callable[[int], None] = lambda epoch: None,
) -> Progress:
    """Train; on return the model holds the weights with the lowest validation loss.

    Args:
        log: takes one record per epoch and split (see mmvideo.runs.directory).
        resumed: called with the epoch after which training goes on, where an earlier attempt was interrupted.

    Raises:
        TrainingError: the loss became NaN or infinite; names the step and the last good checkpoint.
    """
    optimizer = make_optimizer(model, config)
    schedule = make_schedule(optimizer, config, config.epochs * data.steps_per_epoch)
    net, optimizer = fabric.setup(model, optimizer)
    progress = _restore(checkpoints, model, optimizer, schedule)
    resumed(progress.epoch)
    while progress.epoch < config.epochs and progress.epoch - progress.best_epoch < config.patience:
        progress.epoch += 1
        start = time.perf_counter()
        torch.manual_seed(derive_seed(seed, "epoch", progress.epoch))
        record = _train_epoch(
            net, objective, data, optimizer, schedule, config, fabric, progress, checkpoints
        )
        progress.seconds += time.perf_counter() - start
        _log(log, progress, "train", record)
        metrics = predict(net, data.val_batches(), fabric.device).metrics()
        if metrics["nll"] < progress.best_loss:
            progress.best_loss, progress.best_epoch = metrics["nll"], progress.epoch
            checkpoints.save_best(model)
        _log(log, progress, "val", {"loss": metrics["nll"], "accuracy": metrics["accuracy"]})
        _save(checkpoints, model, optimizer, schedule, progress)
    if not progress.best_epoch:
        raise TrainingError(
            f"No epoch of {progress.epoch} had a finite validation loss; lower train.learning_rate"
        )
    checkpoints.load_best(model)
    return progress


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2019, https://arxiv.org/abs/1711.05101); vectors are not decayed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def make_schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Warm-up, stable, decay (Hu et al., 2024, https://arxiv.org/abs/2404.06395).

    Linearly up, level, linearly down to 0. On a short budget this keeps the full rate for longer than a
    cosine does.
    """
    warmup, decay = max(1, round(config.warmup * steps)), max(1, round(config.decay * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup, max(0.0, (steps - step) / decay))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _train_epoch(
    net: nn.Module,
    objective: nn.Module,
    data: TrainingData,
    optimizer: Any,
    schedule: Any,
    config: TrainConfig,
    fabric: Fabric,
    progress: Progress,
    checkpoints: Checkpoints,
) -> dict[str, float]:
    """One pass over the training split; mean loss and accuracy over its clips, and the last learning rate."""
    net.train()
    loss_sum, hits, seen = 0.0, 0, 0
    rate = schedule.get_last_lr()[0]
    for batch in data.train_batches(progress.epoch):
        batch = batch.to(fabric.device)
        prediction = net(batch)
        loss = objective(prediction, batch)
        if not torch.isfinite(loss):
            kept = checkpoints.last if checkpoints.last.exists() else "none was written yet"
            raise TrainingError(
                f"The loss is {loss.item()} at step {progress.step + 1} (epoch {progress.epoch}). "
                f"Last good checkpoint: {kept}. "
                "Lower train.learning_rate, or train in 32-true precision."
            )
        fabric.backward(loss)
        fabric.clip_gradients(net, optimizer, max_norm=config.clip_norm, error_if_nonfinite=False)
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        progress.step += 1
        loss_sum += loss.item() * len(batch)
        hits += int((prediction.logits.argmax(dim=1) == batch.labels).sum())
        seen += len(batch)
    return {"loss": loss_sum / seen, "accuracy": hits / seen, "learning_rate": rate}


def _log(log: Log, progress: Progress, split: Split, values: dict[str, float]) -> None:
    at = {"epoch": progress.epoch, "step": progress.step, "split": split}
    log({**at, **values, "seconds": progress.seconds})


def _save(
    checkpoints: Checkpoints, model: nn.Module, optimizer: Any, schedule: Any, progress: Progress
) -> None:
    checkpoints.save_last(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "progress": asdict(progress),
        }
    )


def _restore(checkpoints: Checkpoints, model: nn.Module, optimizer: Any, schedule: Any) -> Progress:
    """Go back to the end of the last finished epoch, or stay at the start."""
    state = checkpoints.load_last()
    if state is None:
        return Progress()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return Progress(**state["progress"])
