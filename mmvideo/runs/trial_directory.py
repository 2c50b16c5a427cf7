"""What a trial of a tuned comparison leaves on disk: its directory, and what validation said."""

from __future__ import annotations

import shutil

from mmvideo.config import RunConfig
from mmvideo.config_diff import flatten
from mmvideo.errors import InputError
from mmvideo.files import sha256, write_whole
from mmvideo.records import CONFIG, ENVIRONMENT, METRICS, Bound, Metrics, open_bound
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.identity import contents, signature

TRIAL = "trial.json"
FILES = (CONFIG, ENVIRONMENT, METRICS)
"""What a trial leaves beside its record; no metrics, where not one epoch came to its end."""


class TrialResult(Bound):
    """trial.json: written last, so that it is there if and only if the trial is over."""

    val: Metrics
    """The task's score and `loss` of the chosen epoch on validation; empty where training failed."""
    best_epoch: int
    seconds: float
    """Of training."""
    reason: str | None = None
    """Why training failed, which it would again; None: it did not."""


class TrialDirectory(RunDirectory):
    """A trial's directory: a run's without predictions and weights, which are of no use once it is over."""

    @property
    def finished(self) -> bool:
        return (self.path / TRIAL).is_file()

    def result(self) -> TrialResult:  # type: ignore[override]  # a score too, and nothing of test
        """The content of trial.json, if the trial's files are those it was made with.

        Raises:
            InputError: it is not over, or a file of it was changed.
        """
        return open_bound(self.path, TRIAL, TrialResult, FILES[:2])

    def write_trial(
        self,
        config: RunConfig,
        data_fingerprint: str,
        *,
        val: Metrics,
        best_epoch: int = 0,
        seconds: float = 0.0,
        reason: str | None = None,
    ) -> None:
        """Write the trial's record, and let go of its weights.

        Raises:
            InputError: what the configuration names was changed meanwhile.
        """
        if signature(config, data_fingerprint) != self.signature:
            raise InputError(
                f"{self.path}: files that the trial reads were changed meanwhile; delete the folder."
            )
        deciding = config.deciding()
        record = TrialResult(
            study=config.study,
            arm=config.arm,
            seed=config.seed,
            signature=self.signature,
            deciding=deciding,
            contents=contents(config, flatten(deciding)),
            data_fingerprint=data_fingerprint,
            digests={name: sha256(self.path / name) for name in FILES if (self.path / name).is_file()},
            val=val,
            best_epoch=best_epoch,
            seconds=seconds,
            reason=reason,
        )
        write_whole(self.path / TRIAL, record.text())
        for folder in (self.checkpoints, self.inputs):
            shutil.rmtree(folder, ignore_errors=True)
