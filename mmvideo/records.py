"""What runs leave on disk, typed and versioned. Its keys are spelled here only.

A sealed record holds a digest of its own content, and a run's result those of the run's other files: a number
is bound to its making, or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import annotated_types as at
from pydantic import AliasChoices, ConfigDict, Field, ValidationInfo, model_validator

from mmvideo.component_code import component_sources
from mmvideo.config_diff import flatten
from mmvideo.files import Damaged, digest_of, read_record, sha256
from mmvideo.schema import Part
from mmvideo.vocabulary import Split, TaskKind

VERSION = 3
"""Raise it when records hold other things, or when the same configuration would give other numbers."""

RESULT, CONFIG, ENVIRONMENT, METRICS = "result.json", "config.json", "env.json", "metrics.jsonl"
INPUTS, CHECKPOINT, STATE = "inputs", "checkpoints/best.safetensors", "checkpoints/last.pt"
ERROR, HELD = "error.txt", "run"
"""Why a run's last attempt failed; what a process locks that trains it."""

Metrics = dict[str, float]


def predictions_file(split: Split) -> str:
    return f"predictions_{split}.jsonl"


ALWAYS = (CONFIG, ENVIRONMENT, METRICS, predictions_file("val"), predictions_file("test"))
"""Files that every run has."""


def bound_files(folder: Path) -> list[str]:
    """The files of a run that its result binds: what all have, what its modalities learnt, its weights."""
    learnt = sorted(f"{INPUTS}/{file.name}" for file in (folder / INPUTS).glob("*.json"))
    return [*ALWAYS, *learnt, CHECKPOINT]


class Sealed(Part):
    """A record that knows whether it is still what was written."""

    model_config = ConfigDict(ser_json_inf_nan="constants")

    version: Literal[3] = 3
    seal: str | None = None
    """SHA-256 of all the rest."""

    earlier_names: ClassVar[Mapping[str, str]] = {}
    """What earlier records call fields, by their names now; these take both as `validation_alias`."""

    @model_validator(mode="after")
    def _is_what_was_written(self, info: ValidationInfo) -> Self:
        content = self.model_dump(mode="json", exclude={"seal"}, exclude_unset=True)  # fields added since: no
        earlier = {self.earlier_names.get(name, name): value for name, value in content.items()}
        if info.mode == "json" and self.seal not in (digest_of(content), digest_of(earlier)):
            raise ValueError("its content was changed after it was written")
        return self

    def text(self) -> str:
        """The record as it is written, with its seal."""
        content = self.model_dump(mode="json", exclude={"seal"})
        content["seal"] = digest_of(content)
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


class Environment(Part):
    """env.json: what a run was made with. Host name and paths are left out: directories get published."""

    version: Literal[3] = 3
    git_sha: str | None
    git_dirty: bool | None
    python: str
    platform: str
    device: str
    data_fingerprint: str
    versions: dict[str, str | None]
    resumed_in: tuple[Environment, ...] = ()
    """Other environments in which it was continued."""

    def text(self) -> str:
        return self.model_dump_json(indent=2, exclude_defaults=True) + "\n"


class MetricLine(Part):
    """A line of metrics.jsonl. Beside these: the task's score, and what objective and fusion report."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    epoch: int
    step: int
    split: Literal["train", "val"]
    loss: float
    seconds: float
    """What this epoch took: its training, or its validation."""
    training_seconds: float
    """Of training alone, from the first epoch up to here."""

    @model_validator(mode="before")
    @classmethod
    def _was_one_number(cls, line: Any) -> Any:
        """Earlier runs wrote the training seconds up to here as `seconds`, for both splits."""
        return {"training_seconds": line.get("seconds"), **line} if isinstance(line, dict) else line


class Prediction(Part):
    """A line of predictions_<split>.jsonl: what is known of a clip, and the model's outputs for it."""

    id: str
    group: str
    label: str | tuple[str, ...] | float
    present: tuple[str, ...]
    """The modalities the clip has, also those the run does not read."""
    log_probabilities: tuple[float, ...] | None = None
    logits: tuple[float, ...] | None = None
    values: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _has_outputs(self) -> Self:
        if [self.log_probabilities, self.logits, self.values].count(None) != 2:
            raise ValueError("a prediction has one of log_probabilities, logits, values")
        return self

    @property
    def outputs(self) -> tuple[float, ...]:
        """Whichever of the three the task has, 6 decimals each."""
        return self.log_probabilities or self.logits or self.values or ()

    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json", exclude_none=True), ensure_ascii=False) + "\n"


class Costs(Part):
    """What a run costs. FLOPs and latency are of one clip, a step is forward and backward over one batch."""

    parameters: int
    """Of the deployed model."""
    trainable_parameters: int
    objective_parameters: int
    """Further ones that the objective added in training."""
    flops_per_clip: int
    train_seconds: float
    latency_ms: float
    step_ms: float
    peak_memory_mb: float


class SplitContent(Part):
    """What the readable clips of a split hold."""

    clips: int
    groups: int
    classes: int
    failed: int
    """Further clips, which could not be decoded."""
    present: dict[str, int]
    """By modality, how many clips have it."""
    blank: dict[str, int]
    """By modality, in how many of these it is digital silence, or pictures of one colour."""


class Bound(Sealed):
    """A record that is written last, in a directory called as it says, and binds the files there."""

    study: str
    arm: str
    seed: Annotated[int, at.Ge(0)]
    signature: str
    """What decides the run's numbers, in ten hex digits."""
    deciding: dict[str, Any]
    """The part of the configuration that decides numbers."""
    contents: dict[str, str]
    """Configuration keys that name files, own components or earlier runs, and the content found there."""
    data_fingerprint: str
    digests: dict[str, str]
    """SHA-256 of the run's other files, by their names."""

    @property
    def folder(self) -> str:
        """The name of the run's directory."""
        return run_name(self.arm, self.seed, self.signature)


B = TypeVar("B", bound=Bound)


class RunResult(Bound):
    """result.json: written last, so that it is there if and only if the run is finished."""

    earlier_names: ClassVar[Mapping[str, str]] = {"media_warnings": "subtitle_warnings"}

    task: TaskKind
    modalities: tuple[str, ...]
    classes: tuple[str, ...]
    sources: dict[str, str]
    """Digests of the code of the registered components, by the configuration keys that name them."""
    manifest: str
    """SHA-256 of ids, labels, groups and splits of the manifest's clips, as it lists them."""
    val: Metrics
    test: Metrics
    test_subsets: dict[str, Metrics]
    """With every subset of the modalities (`visual+text`)."""
    test_permuted: Metrics | None
    """Where each modality comes from another clip; None for a single modality."""
    costs: Costs
    step_spent_on: str
    """What the fusion's step spends its time on, in its own words."""
    best_epoch: int
    epochs: int
    steps: int
    counts: dict[Split, int]
    train_prior: tuple[float, ...]
    train_presence: dict[str, tuple[int | float, ...]]
    """For each pattern of present modalities in training: clips of each class, or outputs that know only
    the pattern."""
    content: dict[Split, SplitContent]
    """What the clips hold, of modalities too that the run is not given."""
    data_notices: tuple[str, ...]
    """What is to be known of the data, as it was told before training."""
    failed_clips: dict[str, str]
    """Clips that could not be decoded, with the reason."""
    media_warnings: dict[str, tuple[str, ...]] = Field(
        validation_alias=AliasChoices("media_warnings", "subtitle_warnings")
    )
    """Clips of which something could not be read, had to be guessed or filled in, and what."""
    feature_values_zeroed: dict[str, int]
    warnings: tuple[str, ...] = ()
    """What a reader must know of the run beside its numbers."""

    @property
    def changed_sources(self) -> list[str]:
        """Registered components whose code is not that of the run any more, as `late_sum (fusion.name)`."""
        now = component_sources(self.deciding)
        flat = flatten(self.deciding)
        return [f"{flat[key]} ({key})" for key, code in now.items() if self.sources.get(key) != code]

    @property
    def decided_by(self) -> dict[str, Any]:
        """All that decides its numbers but the data: flat, with files' content in place of their names."""
        return flatten(self.deciding) | self.contents


def run_name(arm: str, seed: int, signature: str) -> str:
    """The name of a run's directory."""
    return f"{arm}-s{seed}-{signature}"


def run_remedy(folder: Path) -> str:
    """What to do where a finished run's file is not what it was."""
    return f"Delete the folder {folder}; the same command trains the run again."


def open_run(folder: Path, reading: Iterable[str] | None = None) -> RunResult:
    """A finished run's result, once it is made sure that the run's files are those it was made with.

    Args:
        reading: the files that will be read (those of them that the run has); None: all.

    Raises:
        Damaged: no result, or a file that was changed, swapped or deleted; or the directory is a copy under
            another arm's, seed's or configuration's name. The message names the file.
    """
    return open_bound(folder, RESULT, RunResult, ALWAYS, reading)


def open_bound(
    folder: Path, file: str, kind: type[B], always: Iterable[str], reading: Iterable[str] | None = None
) -> B:
    """A record that binds the files beside it, of which it has digests of `always` at least; see
    `open_run`."""
    remedy = run_remedy(folder)
    if not (
        folder / file
    ).exists():  # it may be anything, such as the folder of all studies: nothing to delete
        raise Damaged(
            f"'{folder}' is no finished run: it has no {file}. Give a finished run's own folder; one that "
            "was interrupted goes on where its command is given again."
        )
    result = read_record(folder / file, kind, remedy)
    name = folder.absolute().name
    if name != result.folder:
        raise Damaged(
            f"{folder / file} is the result of the run {result.folder}, but its folder is called {name}. "
            f"Give the folder its name again, or delete it."
        )
    lacking = set(always) - result.digests.keys()
    if lacking:
        raise Damaged(f"{folder / file} has no digests of {', '.join(sorted(lacking))}. {remedy}")
    for bound in result.digests if reading is None else sorted(result.digests.keys() & set(reading)):
        try:
            found = sha256(folder / bound)
        except OSError as error:
            raise Damaged(f"{folder / bound} cannot be read: {error.strerror}. {remedy}") from error
        if found != result.digests[bound]:
            raise Damaged(
                f"{folder / bound} is not the file that this run's result was made with: it was changed, or "
                f"comes from another run. {remedy}"
            )
    return result
