"""A run's training made ready and carried out: what runs and the trials of a tuned comparison share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric

from mmvideo.data.run_data import RunData
from mmvideo.model import FusionModel
from mmvideo.objectives import Objective
from mmvideo.records import METRICS
from mmvideo.runs.assembly import encode_ahead, make_objective, trained_model, training_data
from mmvideo.runs.costs import PeakMemory
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.warm_start import start_encoders
from mmvideo.seeding import derive_seed
from mmvideo.training.checkpoint import Checkpoints
from mmvideo.training.loop import Log, Progress, fit
from mmvideo.training.session import TrainingData


@dataclass
class Training:
    """All that a run's training works with, made ready."""

    data: RunData
    warm: Mapping[str, RunDirectory]
    """By modality, the run that its encoder starts from."""
    run: RunDirectory
    model: FusionModel
    objective: Objective
    batches: TrainingData
    fabric: Fabric
    memory: PeakMemory

    @classmethod
    def ready(
        cls, data: RunData, warm: Mapping[str, RunDirectory], run: RunDirectory, fabric: Fabric
    ) -> Training:
        """The model with its first weights, and the batches it is trained on."""
        config = data.config
        memory = PeakMemory(fabric.device)
        with fabric.rank_zero_first():  # the others read what it has kept
            encode_ahead(data, fabric.device)
        if fabric.is_global_zero:
            data.save(run.inputs)
        torch.manual_seed(derive_seed(config.seed, "weights"))
        model = trained_model(data)
        start_encoders(model.encoders, warm)
        if config.encoders_frozen:
            model.encoders.requires_grad_(False)
        model.prior.copy_(torch.tensor(data.train_prior()))
        torch.manual_seed(derive_seed(config.seed, "objective"))
        objective = make_objective(data)
        batches = training_data(data, model, fabric)
        return cls(data, warm, run, model, objective, batches, fabric, memory)

    def fit(self, log: Log = lambda metrics: None) -> Progress:
        """Train, or go on where it was interrupted; the model ends with the weights that validation chose.

        Args:
            log: takes each line of metrics, beside the run's own file.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        run, config = self.run, self.data.config
        checkpoints = Checkpoints(run.checkpoints, run.path.name, run.path / METRICS)

        def logged(metrics: dict[str, Any]) -> None:
            run.log_metrics(metrics)
            log(metrics)

        return fit(
            self.model,
            self.objective,
            self.batches,
            config.train,
            seed=config.seed,
            fabric=self.fabric,
            checkpoints=checkpoints,
            log=logged,
            task=self.data.task,
            resumed=lambda epoch: run.truncate_metrics(epoch, checkpoints.logged),
        )
