"""How the command line is read: flags and help from one definition, the types and their docstrings."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import tyro
from pydantic import ValidationError
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from mmvideo.components import EncoderChoice, FusionChoice, ObjectiveChoice
from mmvideo.config import Input, RunConfig
from mmvideo.errors import InputError
from mmvideo.schema import Part, explain

T = TypeVar("T")
FIRST = (
    "What `mmvideo {}` is about stands first, then its options: one that takes several values takes what "
    "stands behind it for one of them."
)
NEUTRAL = {"modality_dropout": 0.0, "pad_to": 1}
"""Fields of `train` that hold a number for each modality, and the number that changes nothing."""


def parse(command: type[T], name: str, arguments: Sequence[str], default: T | None = None) -> T:
    """An instance of the dataclass `command`, filled with what the arguments say.

    Configurations in it are taken as given: `checked` afterwards judges one as a whole, with names of fields
    that a user knows. Mistakes in the flags themselves end the process with exit code 2 and the nearest flag.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(_UnvalidatedPart())
    hint = f"mmvideo: {FIRST.format(name)}" if _behind_several(arguments) else ""
    try:
        found = tyro.cli(
            command,
            prog=f"mmvideo {name}",
            args=list(arguments),
            default=tyro.MISSING_NONPROP if default is None else default,
            registry=registry,
        )
    except SystemExit as end:
        if end.code == 2 and hint:
            print(hint, file=sys.stderr)
        raise
    subject = dataclasses.fields(found)[0].name  # type: ignore[arg-type]
    if hint and getattr(found, subject) == ():
        print(hint, file=sys.stderr)
    return found


def with_choices(config: RunConfig, arguments: Sequence[str]) -> RunConfig:
    """The configuration with the components that the arguments name, so that the flags are those of their own
    options: `--fusion.name`, `--objective.name`, `--inputs.<modality>.kind` and `….encoder.name`.

    One that the configuration has already keeps its options; another one begins with its defaults. What is
    given by modality, such as `--train.modality-dropout.audio`, has a flag for each one named.

    Raises:
        InputError: there is no such component.
    """
    kinds_first = sorted(flags_given(arguments), key=lambda given: given[0].endswith(".encoder.name"))
    for flag, value in kinds_first:
        match flag.removeprefix("--").replace("-", "_").split("."):
            case ["fusion", "name"] if value != config.fusion.name:
                config = config.model_copy(update={"fusion": FusionChoice.of(value)})
            case ["objective", "name"] if value != config.objective.name:
                config = config.model_copy(update={"objective": ObjectiveChoice.of(value)})
            case ["inputs", name, "kind"] if name in config.inputs and value != config.inputs[name].kind:
                config = _with_input(config, name, Input.of(value))
            case ["inputs", name, "encoder", "name"] if name in config.inputs:
                given = config.inputs[name]
                if value != given.encoder.name:
                    chosen = given.model_copy(update={"encoder": EncoderChoice.of(value)})
                    config = _with_input(config, name, chosen)
            case ["train", field, name] if field in NEUTRAL and name in config.inputs:
                rates = {name: NEUTRAL[field], **getattr(config.train, field)}
                config = config.model_copy(update={"train": config.train.model_copy(update={field: rates})})
    return config


def _with_input(config: RunConfig, name: str, given: Input) -> RunConfig:
    return config.model_copy(update={"inputs": {**config.inputs, name: given}})


def flags_given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Flags with their values, as `--flag value` or `--flag=value`."""
    for word, following in pairwise([*arguments, ""]):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            yield flag, value if equals else following


def checked(config: RunConfig) -> RunConfig:
    """The configuration, validated.

    Raises:
        InputError: a value that is not allowed; the message names the field.
    """
    try:
        return RunConfig.model_validate(config.model_dump())
    except ValidationError as error:
        raise InputError(explain(error)) from error


def _behind_several(arguments: Sequence[str]) -> bool:
    """Whether nothing stands before the options, and two words or more behind one: the last of them may be
    what the command is about."""
    option = [argument.startswith("-") for argument in arguments]
    threes = [option[at : at + 3] for at in range(len(option))]
    return option[:1] == [True] and [True, False, False] in threes


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and behind it."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def first_positional(arguments: Sequence[str]) -> str | None:
    """The argument in first place, if it is no flag: what decides the defaults of the flags after it."""
    return arguments[0] if arguments and not arguments[0].startswith("-") else None


class _UnvalidatedPart:
    """tyro's own rule for a pydantic model, but for the validation, which would hide which field is meant."""

    def __init__(self) -> None:
        self._asking = False

    def __call__(self, info: StructTypeInfo) -> StructConstructorSpec | None:
        if self._asking or not (isinstance(info.type, type) and issubclass(info.type, Part)):
            return None
        self._asking = True  # so that the rule tyro finds next is its own
        try:
            spec = ConstructorRegistry.get_struct_spec(info)
        finally:
            self._asking = False
        assert isinstance(spec, StructConstructorSpec)
        part: type[Part] = info.type

        def construct(**values: Any) -> Part:
            return part.model_construct(**values)

        construct.__doc__ = part.__doc__  # the section's text in the help
        return dataclasses.replace(spec, instantiate=construct)
