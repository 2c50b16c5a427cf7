"""What the commands on a study share: its options before `--` and behind it, and what they change of it."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from mmvideo.cli.options import first_positional, flags_given, parse, split
from mmvideo.components import ENGINES, EngineChoice
from mmvideo.errors import InputError
from mmvideo.importing import as_module
from mmvideo.schema import Part
from mmvideo.studies.loading import load_function, load_study
from mmvideo.studies.overrides import overridden
from mmvideo.studies.space import Tuning
from mmvideo.studies.study import Study
from mmvideo.studies.tuning import tunable
from mmvideo.terminal import note
from mmvideo.workers import check_workers


@dataclass
class StudyOptions:
    """Which study, what is changed of it, and where its runs go."""

    study: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STUDY")]
    """A function that returns a Study, as path/to/file.py:function or package.module:function; `study` if
    only the file or module is given."""
    name: str | None = None
    """What the study is called: its folder of runs and of reports. None: by its base and data."""
    seeds: tuple[int, ...] | None = None
    """Seeds each arm is run with; None: the study's own."""
    overrides: Annotated[
        tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]],
        tyro.conf.arg(name="set", metavar="FIELD=VALUE …"),
    ] = ()
    """Fields of every arm's configuration, such as `train.epochs=40 data.frame_rate=8`; may be repeated."""
    workers: int | None = None
    """Runs at once; None: as many as the engine has room for."""
    engine: str = "local"
    """Where runs are carried out: `local`, `ray`, `slurm`, or your own package.module:Class. `--help` after
    it shows its options."""
    engine_options: Annotated[Part, tyro.conf.arg(name="engine")] = field(default_factory=Part)
    """The engine's own options."""
    root: Path = Path("runs")
    """Folder of run directories."""
    out: Path = Path("reports")
    """Folder of reports; the study's own is made in it."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Say what there is to do, and stop. No clip is read."""

    @property
    def chosen_engine(self) -> EngineChoice:
        """The engine, with its options.

        Raises:
            InputError: there is none of the name, or an option may not be so.
        """
        options = self.engine_options
        return EngineChoice.of(
            self.engine, **{name: getattr(options, name) for name in type(options).model_fields}
        )

    @property
    def assignments(self) -> list[str]:
        """Each `FIELD=VALUE` that is set.

        Raises:
            InputError: `--set` without one.
        """
        if () in self.overrides:
            raise InputError("--set takes field=value, such as train.epochs=40; got none.")
        return [assignment for given in self.overrides for assignment in given]


O = TypeVar("O", bound=StudyOptions)  # noqa: E741


def read_study(
    kind: type[O], command: str, arguments: list[str], tuning: Callable[[O, Study], Tuning | None]
) -> tuple[O, Study]:
    """The command's options, and the study changed as they say.

    Args:
        tuning: what the study's arms are tuned by, as the command's options say.

    Raises:
        InputError: a study, field or value that is none.
    """
    own, of_study = split(arguments)
    with _sides(kind, command, own, of_study):
        options = parse(_with_engine(kind, own), command, own)
    check_workers(options.workers)
    options.chosen_engine  # noqa: B018  # told before anything else is
    with _sides(kind, command, own, of_study):
        study = changed_study(options, command, of_study)
    fixed = [assignment.partition("=")[0] for assignment in options.assignments]
    return options, tunable(dataclasses.replace(study, tuning=tuning(options, study)), fixed)


def _with_engine(kind: type[O], arguments: list[str]) -> type[O]:
    """The command's options with those of the engine that its arguments name.

    Raises:
        InputError: there is no such engine.
    """
    named = [value for flag, value in flags_given(arguments) if flag == "--engine"]
    config = ENGINES.resolve(as_module(named[-1] if named else kind.engine)).Config
    named_field = ("engine_options", Annotated[config, tyro.conf.arg(name="engine")])
    made = dataclasses.make_dataclass(
        kind.__name__, [(*named_field, field(default_factory=config))], bases=(kind,)
    )
    made.__doc__ = kind.__doc__
    return made


def changed_study(options: StudyOptions, command: str, arguments: list[str]) -> Study:
    """The study that its function makes of its own flags, one a parameter, changed as the options say."""

    def fill_in(function: Callable[..., Any]) -> Any:
        return tyro.cli(function, prog=f"mmvideo {command} {options.study} --", args=arguments)

    study = load_study(options.study, fill_in)
    seeds = study.seeds if options.seeds is None else options.seeds
    name = study.name if options.name is None else options.name
    made = overridden(dataclasses.replace(study, name=name, seeds=seeds), options.assignments)
    fields = {assignment.partition("=")[0] for assignment in options.assignments}
    least = max(arm.config.train.least_steps for arm in made.arms)
    if "train.epochs" in fields and "train.least_steps" not in fields and least:
        note(
            f"train.least_steps={least} holds beside train.epochs: where these are fewer of the optimiser's "
            "steps, there are more epochs. Set it to 0 for as many epochs as you say."
        )
    return made


@contextmanager
def _sides(kind: type[StudyOptions], command: str, own: list[str], of_study: list[str]) -> Iterator[None]:
    """Where flags are refused, say on which side of `--` they belong."""
    try:
        yield
    except SystemExit as end:
        if end.code == 2:
            print(f"mmvideo: {_misplaced(kind, command, own, of_study)}", file=sys.stderr)
        raise


def _misplaced(kind: type[StudyOptions], command: str, own: list[str], of_study: list[str]) -> str:
    rule = f"Options of `mmvideo {command}` stand before `--`, those of the study behind it"
    study = first_positional(own)
    flags = {"set" if field.name == "overrides" else field.name for field in dataclasses.fields(kind)}
    try:
        function = load_function(study, "study") if study else None
    except InputError:
        function = None
    theirs = set(inspect.signature(function).parameters) if function else set[str]()

    def named(arguments: list[str], others: set[str]) -> list[str]:
        words = [word.partition("=")[0] for word in arguments if word.startswith("--")]
        return [word for word in words if word[2:].replace("-", "_") in others]

    behind, before = named(own, theirs - flags), named(of_study, flags - theirs)
    told = [f"{', '.join(behind)}: of the study, behind it"] if behind else []
    told += [f"{', '.join(before)}: of `mmvideo {command}`, before it"] if before else []
    return f"{rule} ({'; '.join(told)})." if told else f"{rule}."
